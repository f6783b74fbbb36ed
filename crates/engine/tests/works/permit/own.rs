//! What only the program knows of itself is watched as well: its certificate.

use std::sync::Mutex;

use repute_trust::checks::sent::{OwnCertificate, certificate};
use repute_types::{Clock as _, Timestamp};

use super::*;

/// The certificate of a server that nobody hands in mail on port 25 was watched by nobody: clients said that it had expired.
#[tokio::test(start_paused = true)]
async fn a_certificate_that_ends_soon_is_told_before_clients_turn_away_and_holds_no_mail() {
    let mut scene = Scene::new(&[A], &[], "").await;
    let b = scene.world.receiver("b.test", |_, _| "250 2.1.5 ok");
    let until = Arc::new(Mutex::new(scene.world.clock.now() + 74 * HOUR));
    let served = until.clone();
    scene.world.stop().await;
    scene.world.trust.as_mut().unwrap().own = Some(Arc::new(move |now| {
        let shown = OwnCertificate { from: Timestamp(0), until: *served.lock().unwrap(), remark: None };
        vec![certificate("mail.example.com", &Ok(shown), now)]
    }));
    scene.world.start().await;
    pass(HOUR).await;
    assert_eq!(scene.world.incident_lines(), [""; 0]);
    pass(3 * HOUR).await;
    assert_eq!(scene.world.incident_lines(), ["opened infra.tlscert mail.example.com"]);
    submit(&scene).await;
    pass(MINUTE).await;
    assert_eq!(b.taken().len(), 1);
    *until.lock().unwrap() = scene.world.clock.now() + 90 * 24 * HOUR;
    pass(20 * MINUTE).await;
    assert_eq!(scene.world.incident_lines()[1..], ["closed infra.tlscert mail.example.com"]);
}
