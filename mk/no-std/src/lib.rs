//! Links `isis-core` without `std`: this panic handler and allocator are the only ones.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};

pub use isis_core::config::Config;

struct Nothing;

// SAFETY: never returns memory, which `GlobalAlloc` allows: null says that the allocation failed.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Nothing = Nothing;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
