/* Guards: with LENET_GUARDS, which the debug build sets, LENET_GUARD bytes stand behind each buffer of a workspace, and
 * AddressSanitizer reports whoever reads or writes them. Without it there are none.
 */
#ifndef LENET_C_GUARD_H
#define LENET_C_GUARD_H

#include <stddef.h>
#include <string.h>

#if defined(LENET_GUARDS)

#include <sanitizer/asan_interface.h>
#include <stdint.h>

enum { LENET_GUARD = 64 };

/* Opens the buffer of `size` bytes and closes what follows; not where a layout is only measured, from address 0. */
static inline void lenet_guard(void *buffer, size_t size)
{
    if ((uintptr_t)buffer >> 32 == 0) return;
    ASAN_UNPOISON_MEMORY_REGION(buffer, size);
    ASAN_POISON_MEMORY_REGION((char *)buffer + size, LENET_GUARD);
}

/* memset 0 over several buffers and the guards between them. */
__attribute__((no_sanitize_address, noinline, unused)) static void lenet_clear(void *from, size_t size)
{
    volatile char *at = (volatile char *)from;
    while (size--) *at++ = 0;
}

#else

enum { LENET_GUARD = 0 };

static inline void lenet_guard(void *buffer, size_t size) { (void)buffer; (void)size; }
static inline void lenet_clear(void *from, size_t size) { memset(from, 0, size); }

#endif
#endif
