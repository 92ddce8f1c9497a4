/* codec/tensor_file.h - tensor files in memory for tests: read whole, damaged, and cut. */
#ifndef TESTS_CODEC_TENSOR_FILE_H
#define TESTS_CODEC_TENSOR_FILE_H
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "codec/tensors.h"

typedef int (*tensor_read_fn)(mlr_reader *r, mlr_op *op, mlr_tensors **out, mlreg_error **err);

/* Reads bytes in memory of exactly their size, so that the sanitizer sees a read behind them. */
static inline int tensor_file_read(tensor_read_fn read, const void *bytes, size_t len, mlr_tensors **out,
                                   mlreg_error **err)
{
    mlr_reader *r = NULL;
    void       *copy = malloc(len > 0 ? len : 1);

    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    assert_int_equal(mlr_reader_from_memory(copy, len, "m.bin", &r, NULL), 0);
    int rc = read(r, NULL, out, err);
    mlr_reader_free(r);
    free(copy);
    return rc;
}

/* What every list must hold to, however it came about: places inside the file, in order, apart. */
static inline void assert_tensors_sound(const mlr_tensors *t, size_t file_bytes)
{
    uint64_t at = 0;

    for (size_t i = 0; i < mlr_tensors_count(t); i++) {
        const mlr_tensor *x = mlr_tensors_at(t, i);
        assert_true(x->rank <= MLR_TENSOR_MAX_RANK);
        assert_true(strlen(x->name) < file_bytes && x->dtype[0] != '\0');
        assert_true(at <= x->begin && x->begin <= x->end && x->end <= file_bytes);
        at = x->end;
    }
}

/* Reads `bytes` with every byte changed in every way, and cut at every length. Whatever is accepted is sound. */
static inline void assert_survives_damage(tensor_read_fn read, const uint8_t *bytes, size_t len)
{
    uint8_t *damaged = malloc(len);
    size_t   refused = 0;

    assert_non_null(damaged);
    memcpy(damaged, bytes, len);
    for (size_t i = 0; i < len; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            mlr_tensors *t = NULL;
            damaged[i] = (uint8_t)(bytes[i] ^ flip);
            if (tensor_file_read(read, damaged, len, &t, NULL) == 0)
                assert_tensors_sound(t, len);
            else
                refused++;
            mlr_tensors_free(t);
        }
        damaged[i] = bytes[i];
    }
    assert_true(refused > 0);
    for (size_t n = 0; n < len; n++) {
        mlr_tensors *t = NULL;
        if (tensor_file_read(read, bytes, n, &t, NULL) == 0)
            assert_tensors_sound(t, n);
        mlr_tensors_free(t);
    }
    free(damaged);
}
#endif
