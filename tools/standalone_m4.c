/* What `lenet-c export --c lenet5.c` writes, on a Cortex-M4 without an operating system: QEMU's board
 * mps2-an386, with semihosting. Classifies the images of the file images.bin. Writes to results.bin the
 * label, scores and probabilities of each, then two numbers: the instructions that the prediction of
 * the first image takes, and its bytes of stack, those of libm included. tools/standalone_sizes.py
 * compiles and runs it. */
#include "lenet5.h"

__asm__(".section .rodata\n"
        ".global images, images_end\n"
        "images: .incbin \"images.bin\"\n"
        "images_end:\n"
        ".text\n");
extern const uint8_t images[], images_end[];
extern uint32_t stack_bottom[], stack_top[], bss_start[], bss_end[];

static lenet5_work work;
static struct {
    int32_t label;
    float scores[LENET5_CLASSES], p[LENET5_CLASSES];
} result;

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CPACR REGISTER(0xE000ED88)
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)

enum { SYS_OPEN = 1, SYS_WRITE = 5, SYS_EXIT = 0x18, WRITE_BINARY = 5 };

static uintptr_t semihost(uintptr_t operation, uintptr_t argument)
{
    register uintptr_t r0 __asm__("r0") = operation;
    register uintptr_t r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void write(uintptr_t file, const void *data, uintptr_t size)
{
    const uintptr_t block[3] = {file, (uintptr_t)data, size};
    semihost(SYS_WRITE, (uintptr_t)block);
}

/* Ticks since `before`, of a counter of 24 bits that goes down. With QEMU's option -icount shift=0
 * it goes with the instructions, one tick for 40 of them. */
static uint32_t ticks_since(uint32_t before)
{
    return (before - SYST_CVR) & 0xFFFFFF;
}

static uint32_t instructions_of_a_prediction(void)
{
    uint32_t before = SYST_CVR, count = 500000;
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(count) : : "cc");
    const uint32_t million = ticks_since(before);
    before = SYST_CVR;
    lenet5_predict(images, result.scores, &work);
    return (uint32_t)(1000000 * (uint64_t)ticks_since(before) / million);
}

__attribute__((noinline)) static uint32_t stack_of_a_prediction(void)
{
    uint32_t *here, *cell;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (cell = stack_bottom; cell < here; cell++) {
        *(volatile uint32_t *)cell = 0xDEADBEEF;
    }
    lenet5_predict(images, result.scores, &work);
    for (cell = stack_bottom; cell < here && *cell == 0xDEADBEEF;) {
        cell++;
    }
    return (uint32_t)(here - cell) * 4;
}

void reset(void)
{
    static const char name[] = "results.bin";
    const uintptr_t block[3] = {(uintptr_t)name, WRITE_BINARY, sizeof name - 1};
    CPACR |= 0xFu << 20; /* the floating-point unit */
    __asm__ volatile("dsb\n isb");
    for (uint32_t *cell = bss_start; cell < bss_end; cell++) {
        *cell = 0;
    }
    SYST_RVR = 0xFFFFFF;
    SYST_CVR = 0;
    SYST_CSR = 5; /* on, with the processor's clock */
    const uintptr_t file = semihost(SYS_OPEN, (uintptr_t)block);
    const uint32_t figures[2] = {instructions_of_a_prediction(), stack_of_a_prediction()};
    for (const uint8_t *image = images; image < images_end; image += LENET5_PIXELS) {
        result.label = lenet5_predict(image, result.scores, &work);
        lenet5_probabilities(result.scores, result.p);
        write(file, &result, sizeof result);
    }
    write(file, figures, sizeof figures);
    semihost(SYS_EXIT, 0x20026);
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)stack_top, (uintptr_t)reset};
