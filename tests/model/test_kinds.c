/* tests/model/test_kinds.c - what files are, by content and by name. */
#include "model/kinds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define LARGE (1u << 20)
#define W MLR_KIND_WEIGHT
#define C MLR_KIND_CONFIG
#define D MLR_KIND_DOC
#define X MLR_KIND_CODE
#define S MLR_KIND_DATASET

/* Text that has no signature. */
static mlr_file_kind by_name(const char *path)
{
    static const uint8_t head[] = "plain text\n";

    return mlr_kind_of(path, head, sizeof head - 1, sizeof head - 1);
}

static void assert_names(mlr_file_kind kind, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (by_name(names[i]) != kind)
            fail_msg("%s: %d, not %d", names[i], (int)by_name(names[i]), (int)kind);
}
#define ASSERT_NAMES(kind, ...) do { \
        static const char *const names[] = {__VA_ARGS__}; \
        assert_names(kind, names, sizeof names / sizeof names[0]); \
    } while (0)

static void test_kinds__weights_by_name(void **state)
{
    (void)state;
    ASSERT_NAMES(W, "model.safetensors", "model-00001-of-00002.safetensors", "a/b/MODEL.GGUF", "pytorch_model.bin",
                 "x.pt", "x.pth", "epoch=1.ckpt", "model.onnx", "model.onnx_data", "tf_model.h5", "saved_model.pb",
                 "m.tflite", "m.mlmodel", "m.engine", "flax_model.msgpack", "w.npz", "clf.pkl", "m.keras",
                 "variables/variables.data-00000-of-00001", "data/model.safetensors", "data/pytorch_model.bin");
}

static void test_kinds__configs_by_name(void **state)
{
    (void)state;
    ASSERT_NAMES(C, "config.json", "generation_config.json", "model.safetensors.index.json",
                 "pytorch_model.bin.index.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                 "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model",
                 "special_tokens_map.json", "chat_template.jinja", "params.yaml", "hparams.YML", "conf.toml",
                 "x.tiktoken", "1_Pooling/config.json", "Modelfile", "data/tokenizer.json");
}

static void test_kinds__docs_by_name(void **state)
{
    (void)state;
    ASSERT_NAMES(D, "README.md", "README", "readme.txt", "LICENSE", "LICENSE.txt", "LICENCE-2.0", "NOTICE", "notes.md",
                 "paper.pdf", "figures/loss.png", "a.SVG", "citation.cff", "USE_POLICY.md", "usage.rst",
                 "data/README.md", "some.txt");
}

static void test_kinds__code_by_name(void **state)
{
    (void)state;
    ASSERT_NAMES(X, "modeling_x.py", "tokenization_x.py", "demo.ipynb", "run.sh", "k.cu", "a.c", "a.cpp", "main.go",
                 "lib.rs", "app.js", "app.ts", "Makefile", "src/Makefile", "requirements.txt",
                 "requirements-dev.txt", "pyproject.toml", "Dockerfile", "CMakeLists.txt", "data/prepare.py",
                 "op.so", "libx.so.1");
}

static void test_kinds__datasets_by_name(void **state)
{
    (void)state;
    ASSERT_NAMES(S, "train.parquet", "train.csv", "dev.TSV", "train.jsonl", "a.arrow", "train.csv.gz",
                 "train.jsonl.zst", "data/train.json", "data/a/b.txt", "my/datasets/x.png", "dataset/labels",
                 "data/array.npy", "data/images.h5", "data/a.pkl");
}

static void test_kinds__data_folders_are_written_in_full(void **state)
{
    (void)state;
    assert_int_equal(by_name("mydata/a.json"), C);
    assert_int_equal(by_name("database/a.json"), C);
    assert_int_equal(by_name("data.json"), C);
    assert_int_equal(by_name("m.mlpackage/Data/Manifest.json"), C);
    assert_int_equal(by_name("a/data/b.json"), S);
}

static void test_kinds__what_nothing_decides_goes_by_size(void **state)
{
    static const uint8_t text[] = "words", binary[] = {0, 1, 2, 3, 0xFF};

    (void)state;
    assert_int_equal(mlr_kind_of("blob", binary, sizeof binary, LARGE), W);
    assert_int_equal(mlr_kind_of("blob", binary, sizeof binary, LARGE - 1), X);
    assert_int_equal(mlr_kind_of("blob", text, 5, LARGE), S);
    assert_int_equal(mlr_kind_of("blob", text, 5, LARGE - 1), X);
    assert_int_equal(mlr_kind_of(".gitattributes", text, 5, 5), X);
    assert_int_equal(mlr_kind_of("", NULL, 0, 0), X);
    assert_int_equal(mlr_kind_of("data/blob", binary, sizeof binary, LARGE), S);
}

/* ---- content ---- */

static const struct content {
    const char   *head;
    size_t        len;
    mlr_file_kind kind, in_data;
    const char   *format;
} contents[] = {
#define HEAD(bytes) bytes, sizeof(bytes) - 1
    {HEAD("\x40\0\0\0\0\0\0\0{\"__metadata__\":"), W, W, "safetensors"},
    {HEAD("\2\0\0\0\0\0\0\0{}"), W, W, "safetensors"},
    {HEAD("GGUF\3\0\0\0\1\0\0\0"), W, W, "gguf"},
    {HEAD("tjgg\1\0\0\0"), W, W, "ggml"},
    {HEAD("\x1c\0\0\0TFL3\x14\0"), W, W, "tflite"},
    {HEAD("\x08\x07\x12\x07pytorch\x1a\x05" "2.1.0:"), W, W, "onnx"},
    {HEAD("\x89HDF\r\n\x1a\n\0"), W, S, "hdf5"},
    {HEAD("\x93NUMPY\1\0v\0{'descr'"), W, S, "numpy"},
    {HEAD("\x80\x02}q\0."), W, S, "pickle"},
    {HEAD("\x80\x05\x95\0\0\0\0"), W, S, "pickle"},
    {HEAD("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), W, W, "pytorch"},
    {HEAD("PK\3\4\0\0\x08\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\x12\0archive/data.pklFB"), W, W, "pytorch"},
    {HEAD("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0w.npy"), W, S, "numpy"},
    {HEAD("PAR1\x15\4\x15"), S, S, "parquet"},
    {HEAD("ARROW1\0\0"), S, S, "arrow"},
    {HEAD("%PDF-1.7\n"), D, S, NULL},
    {HEAD("\x89PNG\r\n\x1a\n\0\0"), D, S, NULL},
    {HEAD("\xff\xd8\xff\xe0\0\x10JFIF"), D, S, NULL},
    {HEAD("RIFF\x24\0\0\0WEBPVP8 "), D, S, NULL},
    {HEAD("\x7f" "ELF\2\1\1\0"), X, X, NULL},
};

static void test_kinds__content_outweighs_the_name(void **state)
{
    static const char *const names[] = {"README.md", "config.json", "model.py", "x", "a/train.csv", "LICENSE"};

    (void)state;
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        const struct content *c = &contents[i];
        const uint8_t        *head = (const uint8_t *)c->head;
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            if (mlr_kind_of(names[k], head, c->len, c->len) != c->kind)
                fail_msg("content %zu called %s is %d", i, names[k], (int)mlr_kind_of(names[k], head, c->len, c->len));
        assert_int_equal(mlr_kind_of("data/README.md", head, c->len, c->len), c->in_data);
        const char *format = mlr_kind_format("README.md", head, c->len);
        assert_true(c->format == NULL ? format == NULL : format != NULL && strcmp(format, c->format) == 0);
    }
}

static void test_kinds__text_has_no_signature(void **state)
{
    static const char *const texts[] = {
        "GGUF files of this model", "PAR1 is a place", "GIF87a pictures", "fLaC and OggS", "xxxxftyp", "0123TFL3 files",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(mlr_kind_of("README.md", (const uint8_t *)texts[i], strlen(texts[i]), 100), D);
}

static void test_kinds__a_character_cut_by_the_head_is_still_text(void **state)
{
    static const uint8_t cut[] = "GGUF caf\xC3\xA9 \xE2\x82", bad[] = "GGUF \xE2\x82 and more";

    (void)state;
    assert_int_equal(mlr_kind_of("notes.md", cut, sizeof cut - 1, 100), D);
    assert_int_equal(mlr_kind_of("notes.md", bad, sizeof bad - 1, 100), W);
}

static void test_kinds__a_pickle_or_zip_called_pytorch_is_that(void **state)
{
    static const uint8_t pickle[] = "\x80\x02}q\0.", zip[] = "PK\3\4\0\0";

    (void)state;
    assert_string_equal(mlr_kind_format("pytorch_model.bin", pickle, sizeof pickle - 1), "pytorch");
    assert_string_equal(mlr_kind_format("x.pt", zip, sizeof zip - 1), "pytorch");
    assert_string_equal(mlr_kind_format("x.pkl", pickle, sizeof pickle - 1), "pickle");
    assert_int_equal(mlr_kind_of("paper.docx", zip, sizeof zip - 1, LARGE), D);
}

static void test_kinds__formats_by_name(void **state)
{
    (void)state;
    assert_string_equal(mlr_kind_format("a.onnx", NULL, 0), "onnx");
    assert_string_equal(mlr_kind_format("flax_model.msgpack", NULL, 0), "flax");
    assert_null(mlr_kind_format("other.bin", NULL, 0));
    assert_null(mlr_kind_format("config.json", NULL, 0));
    assert_null(mlr_kind_format("unknown", NULL, 0));
}

/* From memory of exactly its size, so that the sanitizer sees a read behind it. */
static void ask(const uint8_t *head, size_t n)
{
    uint8_t *exact = malloc(n > 0 ? n : 1);

    assert_non_null(exact);
    if (n > 0)
        memcpy(exact, head, n);
    mlr_file_kind kind = mlr_kind_of("x", exact, n, n);
    assert_true(kind == W || kind == C || kind == D || kind == X || kind == S);
    free(exact);
}

static void test_kinds__survives_every_cut_and_flip(void **state)
{
    uint8_t head[64];

    (void)state;
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        assert_true(contents[i].len <= sizeof head);
        memcpy(head, contents[i].head, contents[i].len);
        for (size_t at = 0; at < contents[i].len; at++) {
            ask(head, at);
            for (unsigned flip = 1; flip < 256; flip++) {
                head[at] = (uint8_t)contents[i].head[at] ^ (uint8_t)flip;
                ask(head, contents[i].len);
            }
            head[at] = (uint8_t)contents[i].head[at];
        }
    }
}

static void test_kinds__a_name_of_stars_is_no_trap(void **state)
{
    char name[4096];

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(by_name(name), X);
    memset(name, '.', sizeof name - 1);
    assert_int_equal(by_name(name), X);
}

static void test_kinds__media_types_are_modelpack_raw(void **state)
{
    (void)state;
    assert_string_equal(mlr_kind_media_type(MLR_KIND_WEIGHT), "application/vnd.cncf.model.weight.v1.raw");
    assert_string_equal(mlr_kind_media_type(MLR_KIND_CONFIG), "application/vnd.cncf.model.weight.config.v1.raw");
    assert_string_equal(mlr_kind_media_type(MLR_KIND_DOC), "application/vnd.cncf.model.doc.v1.raw");
    assert_string_equal(mlr_kind_media_type(MLR_KIND_CODE), "application/vnd.cncf.model.code.v1.raw");
    assert_string_equal(mlr_kind_media_type(MLR_KIND_DATASET), "application/vnd.cncf.model.dataset.v1.raw");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds__weights_by_name),
        cmocka_unit_test(test_kinds__configs_by_name),
        cmocka_unit_test(test_kinds__docs_by_name),
        cmocka_unit_test(test_kinds__code_by_name),
        cmocka_unit_test(test_kinds__datasets_by_name),
        cmocka_unit_test(test_kinds__data_folders_are_written_in_full),
        cmocka_unit_test(test_kinds__what_nothing_decides_goes_by_size),
        cmocka_unit_test(test_kinds__content_outweighs_the_name),
        cmocka_unit_test(test_kinds__text_has_no_signature),
        cmocka_unit_test(test_kinds__a_character_cut_by_the_head_is_still_text),
        cmocka_unit_test(test_kinds__a_pickle_or_zip_called_pytorch_is_that),
        cmocka_unit_test(test_kinds__formats_by_name),
        cmocka_unit_test(test_kinds__survives_every_cut_and_flip),
        cmocka_unit_test(test_kinds__a_name_of_stars_is_no_trap),
        cmocka_unit_test(test_kinds__media_types_are_modelpack_raw),
    };
    return cmocka_run_group_tests_name("model/kinds", tests, NULL, NULL);
}
