/* codec/sha256_cpu.c - which SHA-256 kernels an x86 processor and its system can run. The compilers' own answer to that,
 * __builtin_cpu_supports, brings a program along that knows every processor by name and runs when the library is loaded;
 * clang's does not know of SHA. */
#include "codec/sha256_kernels.h"

#ifdef MLR_SHA256_X86
#include <cpuid.h>
#include <stdatomic.h>

#define LOOKED    1u
#define SHA       2u
#define NOT_INTEL 4u
#define AVX2      8u
#define AVX512    16u
#define AVX512_BW 32u

#define YMM_STATE 0x6u                              /* what the system keeps for each thread: XCR0, bits 1 and 2 */
#define ZMM_STATE 0xe6u                             /* and 5 to 7 */
#define ALL_OF(word, bits) (((word) & (bits)) == (bits))

static unsigned kept_state(unsigned ecx)
{
    unsigned low = 0, high;

    if (ecx & bit_OSXSAVE)
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static unsigned look(void)
{
    unsigned a, b, c, d, c1, kept, found = LOOKED;

    if (!__get_cpuid(1, &a, &b, &c1, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return found;
    kept = kept_state(c1);
    if (ALL_OF(c1, bit_SSSE3 | bit_SSE4_1) && ALL_OF(b, bit_SHA))
        found |= SHA;
    if (ALL_OF(kept, YMM_STATE) && ALL_OF(b, bit_AVX2 | bit_BMI | bit_BMI2))
        found |= AVX2;
    if (ALL_OF(kept, ZMM_STATE) && ALL_OF(b, bit_AVX2 | bit_AVX512F | bit_AVX512VL))
        found |= AVX512;
    if (ALL_OF(kept, ZMM_STATE) && ALL_OF(b, bit_AVX512F | bit_AVX512BW))
        found |= AVX512_BW;
    __cpuid(0, a, b, c, d);
    return found | (b == signature_INTEL_ebx ? 0 : NOT_INTEL);
}

/* Asked once: that traps in virtual machines. */
static bool has(unsigned what)
{
    static atomic_uint found;
    unsigned bits = atomic_load_explicit(&found, memory_order_relaxed);

    if (bits == 0) {
        bits = look();
        atomic_store_explicit(&found, bits, memory_order_relaxed);
    }
    return ALL_OF(bits, what);
}

bool mlr_sha256_x86_usable(void)
{
    return has(SHA);
}

/* Intel's unit is busy with one stream, so that more side by side gain nothing there and AVX takes them faster. */
bool mlr_sha256_x86_many_usable(void)
{
    return has(SHA | NOT_INTEL);
}

#ifdef MLR_SHA256_AVX
bool mlr_sha256_avx2_usable(void)
{
    return has(AVX2);
}

bool mlr_sha256_avx512_usable(void)
{
    return has(AVX512);
}

bool mlr_sha256_avx512_x16_usable(void)
{
    return has(AVX512_BW);
}
#endif
#endif
