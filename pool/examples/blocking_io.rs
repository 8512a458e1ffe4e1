//! Runs many blocking calls at once in bounded memory. The program writes files to a temporary
//! folder, then reads and hashes them in pools of different sizes. `threads` limits how many calls
//! block at once, and so determines the time. `capacity` limits the tasks in the pool, and so
//! determines their memory.
//!
//! ```console
//! cargo run -p anthill --example blocking_io
//! ```

use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anthill::Pool;

const FILES: u64 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let (folder, expected) = Folder::with_files()?;
    println!("{FILES} files, 5 ms to read each\n");
    println!("threads  capacity  most in flight  most threads    time");
    for (threads, capacity) in [(4, 8), (4, 128), (32, 128)] {
        let pool = Pool::builder()
            .name("reader")
            .capacity(capacity)
            .threads(0..=threads) // started when there is work, ended when idle
            .build()?;
        let start = Instant::now();
        let (sum, most_in_flight, most_threads) = hash_all(&pool, &folder.0)?;
        let time = start.elapsed().as_millis();
        println!("{threads:7}{capacity:10}{most_in_flight:16}{most_threads:14}{time:5} ms");
        if sum != expected || most_in_flight > capacity || most_threads > threads {
            return Err("wrong sum of hashes, or a limit was exceeded".into());
        }
    }
    println!("\nMore threads made it faster. A higher capacity only let more tasks wait inside.");
    Ok(())
}

/// Returns the sum of the hashes of all files in `folder`, and the maximum number of tasks and
/// threads that `pool` had meanwhile.
fn hash_all(pool: &Pool, folder: &Path) -> Result<(u64, usize, usize), Box<dyn Error>> {
    let (result, results) = mpsc::channel();
    let (mut most_in_flight, mut most_threads) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let result = result.clone();
        // Blocks while the pool is full, so the list of files is read no faster than the files.
        pool.submit(move || {
            // The send fails if the receiver was dropped after an error.
            let _ = result.send(hash(&path));
        })?;
        let stats = pool.stats();
        most_in_flight = most_in_flight.max(stats.in_flight);
        most_threads = most_threads.max(stats.threads);
    }
    // Each task holds a sender. Drop this one, or the loop below never ends.
    drop(result);
    let mut sum = 0_u64;
    for hash in results {
        sum = sum.wrapping_add(hash?);
    }
    pool.shutdown().wait()?;
    Ok((sum, most_in_flight, most_threads))
}

/// Reads and hashes a file. Blocks the thread.
fn hash(path: &Path) -> io::Result<u64> {
    // Simulates a slow disk or a network share.
    thread::sleep(Duration::from_millis(5));
    Ok(hash_bytes(&fs::read(path)?))
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// A temporary folder, removed on drop.
struct Folder(PathBuf);

impl Folder {
    /// Creates a folder with files. Returns it with the sum of their hashes.
    fn with_files() -> io::Result<(Self, u64)> {
        let name = format!("anthill-blocking-io-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir(&folder.0)?;
        let mut sum = 0_u64;
        for n in 0..FILES {
            let content = n.to_string().repeat(1000);
            fs::write(folder.0.join(format!("{n}.txt")), &content)?;
            sum = sum.wrapping_add(hash_bytes(content.as_bytes()));
        }
        Ok((folder, sum))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Ignore an error: the system clears its temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
