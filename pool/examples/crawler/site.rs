//! The site for the crawler: a server on a free local port, with pages that link to each other.
//! Some pages fail, and some requests are never answered. The server counts the requests for each
//! page, and how many run at once.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anthill::Pool;

const PAGES: usize = 300;

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    books: Arc<Mutex<Books>>,
}

struct Books {
    /// The number of requests for each page.
    asked: Vec<usize>,
    /// Requests being answered.
    active: usize,
    /// Requests that are never answered, kept until the client disconnects.
    stalled: Vec<TcpStream>,
    most_in_flight: usize,
}

impl Site {
    /// Starts the server, which runs until the process ends.
    pub(crate) fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let books = Arc::new(Mutex::new(Books {
            asked: vec![0; PAGES],
            active: 0,
            stalled: Vec::new(),
            most_in_flight: 0,
        }));
        // More threads than the crawler's limit, so that the crawler's limit alone is tested.
        let pool = Pool::builder().name("site").threads(0..=64).build()?;
        let shared = Arc::clone(&books);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let books = Arc::clone(&shared);
                // Ignore errors of clients that disconnected.
                let served = pool.submit(move || _ = answer(stream, &books));
                served.expect("the pool is never closed");
            }
        });
        Ok(Self { address, books })
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.books.lock().unwrap().most_in_flight
    }

    pub(crate) fn each_page_was_asked_for_once(&self) -> bool {
        let books = self.books.lock().unwrap();
        books.asked.iter().all(|times| *times == 1)
    }
}

fn answer(mut stream: TcpStream, books: &Mutex<Books>) -> io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // Read all headers, or closing the socket with unread data resets the connection.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let page = request.split([' ', '/']).nth(2);
    let page = page.and_then(|page| page.parse().ok());
    let Some(page) = page.filter(|page| *page < PAGES) else {
        return stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n");
    };
    if books.lock().unwrap().begin(page) {
        // Simulates work on the page.
        thread::sleep(Duration::from_millis(5));
        // Decrement before the answer, because the client may send its next request right after it.
        books.lock().unwrap().active -= 1;
        stream.write_all(render(page).as_bytes())
    } else {
        books.lock().unwrap().stall(stream)
    }
}

impl Books {
    /// Records a request. Returns whether to answer it.
    fn begin(&mut self, page: usize) -> bool {
        self.asked[page] += 1;
        self.active += 1;
        self.stalled.retain(|stream| !has_hung_up(stream));
        self.most_in_flight = self.most_in_flight.max(self.active + self.stalled.len());
        !(is_leaf(page) && page % 50 == 9)
    }

    fn stall(&mut self, stream: TcpStream) -> io::Result<()> {
        self.active -= 1;
        stream.set_nonblocking(true)?;
        self.stalled.push(stream);
        Ok(())
    }
}

fn has_hung_up(stream: &TcpStream) -> bool {
    match stream.peek(&mut [0]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// Returns the response for a page. The pages form a tree in which only leaves fail, so that the
/// crawler can reach every page. Other links point to any page.
fn render(page: usize) -> String {
    if is_leaf(page) && page % 30 == 7 {
        return "HTTP/1.0 500 Internal Server Error\r\n\r\n".to_owned();
    }
    let mut answer = "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n".to_owned();
    let children = [page * 2 + 1, page * 2 + 2];
    let others = [page / 2, page * 7 % PAGES, page * 31 % PAGES];
    for link in children.into_iter().filter(|n| *n < PAGES).chain(others) {
        let _ = writeln!(answer, "<a href=\"/{link}\">page {link}</a>");
    }
    answer
}

fn is_leaf(page: usize) -> bool {
    page * 2 + 1 >= PAGES
}
