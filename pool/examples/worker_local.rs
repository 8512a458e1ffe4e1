//! A database connection for each worker.
//!
//! A task uses the connection of the worker that it runs on. So the program has as many connections
//! as busy workers, and no task waits for a lock or a connection pool. A connection is opened by the
//! first query and closed when its worker exits. A worker opens a new one after an error.
//!
//! The database is a server in this process that answers a key with a value, and hangs up after 100
//! queries.

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anthill::{Pool, WorkerLocal};

/// A connection that opens itself.
struct Connection {
    database: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// Returns a connection that the first query opens. So making the value cannot fail.
    fn new(database: SocketAddr) -> Self {
        Self {
            database,
            stream: None,
        }
    }

    /// Queries the database. Tries a new connection once if the present one fails.
    fn query(&mut self, key: &str) -> io::Result<String> {
        let is_fresh = self.stream.is_none();
        let result = self.try_query(key);
        if result.is_ok() {
            return result;
        }
        self.stream = None;
        if is_fresh {
            return result;
        }
        self.try_query(key)
    }

    fn try_query(&mut self, key: &str) -> io::Result<String> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(BufReader::new(TcpStream::connect(self.database)?)),
        };
        writeln!(stream.get_mut(), "{key}")?;
        let mut value = String::new();
        if stream.read_line(&mut value)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(value.trim_end().to_owned())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (database, opened) = database()?;
    let connection = WorkerLocal::new(move |_worker| RefCell::new(Connection::new(database)));
    let pool = Pool::builder()
        .threads(0..=4)
        .worker_local(&connection)
        .build()?;

    let values = pool.map(0..1000, move |n| {
        let key = format!("key {n}");
        let value = connection.with(|connection| connection.borrow_mut().query(&key));
        value.expect("a worker of this pool has a connection")
    });
    let mut length = 0;
    for value in values {
        length += value?.len();
    }
    println!("1000 values of {length} bytes");
    println!("{} connections opened", opened.load(Ordering::Relaxed));
    pool.shutdown().wait()?; // Closes the connections.
    Ok(())
}

/// Starts a database. Returns its address and the number of connections that it has accepted.
fn database() -> io::Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || answer(stream));
        }
    });
    Ok((address, accepted))
}

/// Answers 100 queries.
fn answer(stream: TcpStream) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    for key in BufReader::new(stream).lines().take(100) {
        writeln!(answers, "value of {}", key?)?;
    }
    Ok(())
}
