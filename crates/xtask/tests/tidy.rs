//! The house is tidy: the same check as `cargo run -p xtask -- tidy`.

#[test]
fn the_house_is_tidy() {
    let faults = xtask::tidy::run(&xtask::root()).expect("tidy runs");
    let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(text.is_empty(), "\n{}\n{} to put right", text.join("\n"), text.len());
}
