mod http;
#[allow(dead_code)] mod load;
mod prepare;
mod wire;
use tenantry_tests::*;
use std::time::Duration;

#[tokio::main]
async fn main() {
    let world = World::postgres().await;
    let mut s = world.server().await; s.terminate().await; drop(s);
    let t = std::time::Instant::now();
    let p = prepare::prepare(world.database_url().as_str(), &world.keys_file(), 2000).await;
    println!("prepared {:?}", t.elapsed());
    let url = world.database_url().as_str().to_owned();
    let hp = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let w = wire::Wire::to(hp.parse().unwrap()).await;
    let server = world.builder().env("TENANTRY__DATABASE__URL", url.replace(&hp, &w.address.to_string())).env("TENANTRY__DATABASE__MAX_CONNECTIONS", 1).start().await;
    let mut c = http::Connection::open(server.url().trim_start_matches("http://").parse().unwrap()).await.unwrap();
    for kind in 0..3 {
        for i in 0..10 {
            let r = match kind {
                0 => http::get("/api/tenant/projects?limit=20", &p.readers[i].token),
                1 => http::post("/api/tenant/auth/otp/verify", None, &format!("{{\"challenge_id\":\"{}\",\"otp_code\":\"{}\"}}", p.sign_ins[i].challenge, p.sign_ins[i].otp)),
                _ => http::post(&format!("/api/tenant/projects/{}/activate", p.activations[i].project), Some(&p.writers[p.activations[i].writer].token), &format!("{{\"code\":\"{}\"}}", p.activations[i].text)),
            };
            tokio::time::sleep(Duration::from_millis(50)).await;
            w.take();
            let t = std::time::Instant::now();
            let a = c.send(&r).await.unwrap();
            println!("{} {} {:?}", a.status, a.body.len(), t.elapsed());
            if i == 9 { println!("{}", String::from_utf8_lossy(a.body)); }
            tokio::time::sleep(Duration::from_millis(50)).await;
            let seen = w.take();
            println!("{} statements, {} round trips", seen.statements.len(), seen.round_trips);
            if i == 9 { for s in seen.statements { println!("    {s}"); } }
        }
    }
}
