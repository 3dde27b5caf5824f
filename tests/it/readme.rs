//! The README's commands, as printed: pasted one after the other they buy a seat.

use std::process::Command;

use crate::support::process::Process;

/// The commands under "Buy a seat".
fn lines() -> String {
    let readme = include_str!("../../README.md");
    let section = readme.split("## Buy a seat").nth(1).unwrap();
    section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

#[tokio::test]
async fn the_commands_of_the_readme_buy_a_seat() {
    let folder = tempfile::tempdir().unwrap();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/demo.yaml");
    let listen = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    let up = [&["up", "--data-dir", "data", "--catalog", demo], &listen[..]].concat();
    let mut onsale = Process::start(folder.path(), &up);
    let address = onsale.ready().await;

    let printed = lines();
    let commands = printed
        .replace("http://127.0.0.1:8080", &address)
        .replace("cargo run --quiet --release --", env!("CARGO_BIN_EXE_onsale"));
    assert!(!commands.contains("cargo") && !commands.contains(":8080"), "{commands}");
    let shell = Command::new("sh").arg("-euc").arg(&commands).current_dir(folder.path()).output().unwrap();
    let answers = String::from_utf8_lossy(&shell.stdout).into_owned();
    assert!(shell.status.success(), "{answers}\n{}", String::from_utf8_lossy(&shell.stderr));
    let last = answers.rsplit("{\"reservationId\"").next().unwrap();
    assert!(last.contains("\"CONFIRMED\"") && last.contains("\"tickets\""), "{answers}");
    assert!(onsale.terminate().success());
}
