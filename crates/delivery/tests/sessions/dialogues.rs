//! Every file in `tests/dialogues`, played by a scripted server over a network in memory.

use crate::case::Case;

#[tokio::test(start_paused = true)]
async fn dialogues() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dialogues");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        eprintln!("{name}");
        Case::parse(&name, &text).run().await;
    }
}
