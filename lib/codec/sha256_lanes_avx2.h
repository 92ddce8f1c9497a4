/* codec/sha256_lanes_avx2.h - how sha256_lanes.h loads and orders the words of 8 lanes; wants INLINE. */
#define LOW32         _mm256_unpacklo_epi32
#define HIGH32        _mm256_unpackhi_epi32
#define LOW64         _mm256_unpacklo_epi64
#define HIGH64        _mm256_unpackhi_epi64
#define ALL(word)     _mm256_set1_epi32((int)(word))
#define FROM_BYTES(v) _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)))

INLINE __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

INLINE __m256i quarters(const uint8_t *const p[], size_t at)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(load16(p[0] + at)), load16(p[4] + at), 1);
}
