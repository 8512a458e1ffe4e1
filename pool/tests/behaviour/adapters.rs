//! The pool behind the traits of other crates, used by those crates.

#[cfg(feature = "futures")]
mod futures {
    use std::sync::mpsc;

    use anthill::worker_index;
    use futures_util::task::{Spawn, SpawnExt};

    use crate::support::pool;

    /// Code that knows the executor by its trait alone.
    fn index_of_worker(executor: &impl SpawnExt) -> Option<usize> {
        let (sent, seen) = mpsc::channel();
        let task = async move { sent.send(worker_index()).unwrap() };
        executor.spawn(task).unwrap();
        seen.recv().unwrap()
    }

    #[test]
    fn futures_spawns_in_the_pool() {
        let pool = pool(1, 1);
        assert_eq!(index_of_worker(&pool), Some(0));
        assert!(pool.status().is_ok());
        let held = pool.slot().wait().unwrap();
        assert!(SpawnExt::spawn(&pool, async {}).is_err(), "full");
        drop(held);
        pool.close();
        assert!(pool.status().unwrap_err().is_shutdown());
        assert!(SpawnExt::spawn(&pool, async {}).unwrap_err().is_shutdown());
    }
}

#[cfg(all(feature = "hyper", feature = "tokio"))]
mod hyper {
    use std::convert::Infallible;

    use anthill::Pool;
    use http_body_util::{BodyExt, Empty, Full};
    use hyper::body::{Bytes, Incoming};
    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use hyper_util::rt::TokioIo;

    async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let worker = anthill::worker_index().is_some();
        let text = format!("{} {worker}", request.uri().path());
        Ok(Response::new(Full::new(Bytes::from(text))))
    }

    #[test]
    fn http2_connections_run_in_the_pool() {
        let pool = Pool::builder().tokio().threads(0..=2).build().unwrap();
        let (client_side, server_side) = tokio::io::duplex(1 << 16);
        let executor = pool.clone();
        let server = pool.spawn_with_handle(async move {
            let builder = hyper::server::conn::http2::Builder::new(executor);
            let connection =
                builder.serve_connection(TokioIo::new(server_side), service_fn(answer));
            connection.await.unwrap();
        });
        let executor = pool.clone();
        let client = pool.spawn_with_handle(async move {
            let io = TokioIo::new(client_side);
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(executor.clone(), io)
                    .await
                    .unwrap();
            let connection = executor.spawn_with_handle(connection).unwrap();
            let mut texts = Vec::new();
            for path in ["/one", "/two"] {
                let request = Request::builder().uri(format!("http://pool{path}"));
                let request = request.body(Empty::<Bytes>::new()).unwrap();
                let response = sender.send_request(request).await.unwrap();
                let body = response.into_body().collect().await.unwrap().to_bytes();
                texts.push(String::from_utf8(body.to_vec()).unwrap());
            }
            drop(sender);
            connection.await.unwrap().unwrap();
            texts
        });
        let texts = client.unwrap().wait().unwrap();
        assert_eq!(texts, ["/one true", "/two true"]);
        server.unwrap().wait().unwrap();
        pool.shutdown().wait().unwrap();
        let stats = pool.stats();
        assert!(
            stats.accepted >= 5,
            "a task for each request, too: {stats:?}"
        );
    }
}

#[cfg(feature = "tower")]
mod tower {
    use std::convert::Infallible;
    use std::future::pending;
    use std::task::Poll;
    use std::time::Duration;

    use anthill::{PoolLayer, worker_index};
    use tower::load_shed::error::Overloaded;
    use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

    use crate::support::{block_on, eventually, pool};

    #[test]
    fn requests_run_in_the_pool() {
        let pool = pool(2, 1);
        let inner = service_fn(async |n: u32| Ok::<_, Infallible>((n + 1, worker_index())));
        let service = ServiceBuilder::new()
            .layer(PoolLayer::new(&pool))
            .service(inner);
        assert_eq!(block_on(service.oneshot(41)).unwrap(), (42, Some(0)));
        assert_eq!(pool.stats().completed, 1);
    }

    #[test]
    fn full_pool_sheds_load() {
        let pool = pool(1, 1);
        let inner = service_fn(async |n: u32| Ok::<_, Infallible>(n));
        let builder = ServiceBuilder::new().load_shed();
        let service = builder.layer(PoolLayer::new(&pool)).service(inner);
        let held = pool.try_slot().unwrap();
        let shed = block_on(service.clone().oneshot(1)).unwrap_err();
        assert!(shed.is::<Overloaded>());
        drop(held);
        assert_eq!(block_on(service.oneshot(2)).unwrap(), 2);
    }

    #[test]
    fn ready_service_waits_for_a_slot_and_holds_it() {
        let pool = pool(1, 1);
        let inner = service_fn(async |n: u32| Ok::<_, Infallible>(n));
        let mut service = ServiceBuilder::new()
            .layer(PoolLayer::new(&pool))
            .service(inner);
        let held = pool.try_slot().unwrap();
        let waits = std::thread::scope(|scope| {
            let waits = scope.spawn(|| block_on(service.ready()).map(|_| ()).is_ok());
            eventually(|| pool.stats().waiting == 1);
            drop(held);
            waits.join().unwrap()
        });
        assert!(waits);
        assert_eq!(pool.in_flight(), 1, "reserved for the next request");
        assert_eq!(pool.stats().rejected_full, 0, "it waited");
        assert_eq!(block_on(service.call(3)).unwrap(), 3);
        drop(service.clone());
        assert_eq!(pool.in_flight(), 0);
        pool.close();
        let closed = block_on(service.ready()).map(|_| ()).unwrap_err();
        assert_eq!(closed.downcast_ref(), Some(&anthill::SlotError::Closed));
    }

    #[test]
    fn dropped_response_cancels_its_request() {
        let pool = pool(1, 1);
        let inner = service_fn(|(): ()| pending::<Result<(), Infallible>>());
        let mut service = ServiceBuilder::new()
            .layer(PoolLayer::new(&pool))
            .service(inner);
        let service = block_on(service.ready()).unwrap();
        let mut response = Box::pin(service.call(()));
        let polled = block_on(std::future::poll_fn(|cx| {
            Poll::Ready(response.as_mut().poll(cx).is_pending())
        }));
        assert!(polled);
        drop(response);
        eventually(|| pool.in_flight() == 0);
        assert_eq!(pool.stats().cancelled, 1);
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn timeout_covers_the_wait_for_a_slot() {
        let pool = anthill::Pool::builder()
            .tokio()
            .capacity(2)
            .build()
            .unwrap();
        let subpool = pool.subpool().capacity(1).build().unwrap();
        let held = subpool.try_slot().unwrap();
        let inner = service_fn(async |n: u32| Ok::<_, Infallible>(n));
        let builder = ServiceBuilder::new().timeout(Duration::from_millis(1));
        let service = builder.layer(PoolLayer::new(&subpool)).service(inner);
        // `timeout` limits the call; the wait for readiness is limited by the caller.
        let waits = pool.spawn_with_handle(async move {
            tokio::time::timeout(Duration::from_millis(1), service.oneshot(1))
                .await
                .is_err()
        });
        assert!(waits.unwrap().wait().unwrap());
        drop(held);
        pool.shutdown().wait().unwrap();
    }
}
