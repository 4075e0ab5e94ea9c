//! The inputs that fuzzing has kept, each as a test of its target: what reached code that no other
//! reached, and what once broke something.

use std::fs;
use std::path::Path;

use crate::targets::TARGETS;

#[test]
fn what_fuzzing_kept_breaks_nothing() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in TARGETS {
        let mut count = 0;
        for entry in fs::read_dir(corpora.join(name)).expect("a corpus per target") {
            let path = entry.expect("a readable entry").path();
            let data = fs::read(&path).expect("an input");
            let outcome = std::panic::catch_unwind(|| target(&data));
            assert!(outcome.is_ok(), "{}", path.display());
            count += 1;
        }
        assert!(count > 0, "the corpus of {name} is empty");
    }
}
