/* tests/model/test_modelpack.c - the CNCF ModelPack v0.0.7: config and layer annotations as its specification has them. */
#include "model/modelpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"

#define FILEPATH_KEY "org.cncf.model.filepath"
#define METADATA_KEY "org.cncf.model.file.metadata+json"

static mlr_descriptor layer_of(const char *text)
{
    mlr_descriptor d = { 0 };
    mlr_digest     digest;

    mlr_digest_of(text, strlen(text), &digest);
    assert_int_equal(mlr_descriptor_make("application/vnd.cncf.model.weight.v1.raw", &digest, strlen(text), &d, NULL), 0);
    return d;
}

static void assert_config(const mlr_facts *f, const mlr_descriptor *layers, size_t n, const char *want)
{
    mlr_buf out = MLR_BUF_INIT(1 << 16);

    assert_int_equal(mlr_modelpack_config(f, layers, n, &out, NULL), 0);
    assert_string_equal(out.data, want);
    mlr_buf_done(&out);
}

#define DIGEST_A "sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
#define DIGEST_B "sha256:3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"

static void test_modelpack__config_says_what_the_files_say(void **state)
{
    mlr_descriptor layers[] = { layer_of("a"), layer_of("b") };
    mlr_facts      f = { .architecture = (char *)"LlamaForCausalLM", .family = (char *)"llama", .format = (char *)"safetensors",
        .license = (char *)"MIT", .n_dtypes = 1, .dtypes = { { "BF16", 8000000000 } } };

    (void)state;
    assert_config(&f, layers, 2, "{\"descriptor\":{\"family\":\"llama\",\"licenses\":[\"MIT\"]},"
        "\"modelfs\":{\"type\":\"layers\",\"diffIds\":[\"" DIGEST_A "\",\"" DIGEST_B "\"]},"
        "\"config\":{\"architecture\":\"LlamaForCausalLM\",\"format\":\"safetensors\",\"paramSize\":\"8b\",\"precision\":\"bf16\"}}");
    mlr_descriptor_done(&layers[0]);
    mlr_descriptor_done(&layers[1]);
}

static void test_modelpack__config_names_the_quantization(void **state)
{
    mlr_facts f = { .format = (char *)"gguf", .n_dtypes = 1, .dtypes = { { "Q4_K", 1000 } } };

    (void)state;
    assert_config(&f, NULL, 0, "{\"descriptor\":{},\"modelfs\":{\"type\":\"layers\",\"diffIds\":[]},"
        "\"config\":{\"format\":\"gguf\",\"paramSize\":\"1k\",\"quantization\":\"q4_k\"}}");
}

static void test_modelpack__config_leaves_out_what_nobody_said(void **state)
{
    const mlr_facts nothing = { 0 };

    (void)state;
    assert_config(&nothing, NULL, 0, "{\"descriptor\":{},\"modelfs\":{\"type\":\"layers\",\"diffIds\":[]},\"config\":{}}");
}

static void test_modelpack__config_escapes_what_files_say(void **state)
{
    const mlr_facts f = { .family = (char *)"a\"},\"x\":{\n" };
    mlr_buf         out = MLR_BUF_INIT(1 << 16);
    mlr_json       *j = NULL;

    (void)state;
    assert_int_equal(mlr_modelpack_config(&f, NULL, 0, &out, NULL), 0);
    assert_int_equal(mlr_json_parse(out.data, out.len, "config", &j, NULL), 0);
    assert_int_equal(mlr_json_count(j), 3);
    assert_string_equal(mlr_json_string(mlr_json_get(mlr_json_get(j, "descriptor"), "family")), f.family);
    mlr_json_free(j);
    mlr_buf_done(&out);
}

static void test_modelpack__config_that_does_not_fit_is_an_error(void **state)
{
    const mlr_facts nothing = { 0 };
    mlr_buf         out = MLR_BUF_INIT(20);

    (void)state;
    assert_int_equal(mlr_modelpack_config(&nothing, NULL, 0, &out, NULL), MLREG_ELIMIT);
    mlr_buf_done(&out);
}

/* ---- annotations ---- */

static void test_modelpack__layer_is_named_for_oras_and_for_modctl(void **state)
{
    mlr_descriptor d = layer_of("abc");

    (void)state;
    assert_int_equal(mlr_modelpack_annotate(&d, "sub/model.safetensors", false, NULL), 0);
    assert_int_equal(d.n_annotations, 3);
    assert_string_equal(mlr_descriptor_annotation(&d, "org.opencontainers.image.title"), "sub/model.safetensors");
    assert_string_equal(mlr_descriptor_annotation(&d, FILEPATH_KEY), "sub/model.safetensors");
    assert_string_equal(mlr_descriptor_annotation(&d, METADATA_KEY),
        "{\"name\":\"model.safetensors\",\"mode\":420,\"uid\":0,\"gid\":0,\"size\":3,\"mtime\":\"1970-01-01T00:00:00Z\",\"typeflag\":48}");
    mlr_descriptor_done(&d);
}

static void test_modelpack__layer_that_may_be_executed_says_so(void **state)
{
    mlr_descriptor d = layer_of("#!/bin/sh");
    mlr_json      *j = NULL;
    const char    *text;
    uint64_t       mode = 0;

    (void)state;
    assert_int_equal(mlr_modelpack_annotate(&d, "run.sh", true, NULL), 0);
    text = mlr_descriptor_annotation(&d, METADATA_KEY);
    assert_int_equal(mlr_json_parse(text, strlen(text), "metadata", &j, NULL), 0);
    assert_true(mlr_json_u64(mlr_json_get(j, "mode"), &mode));
    assert_int_equal(mode, 0755);
    mlr_json_free(j);
    mlr_descriptor_done(&d);
}

static void test_modelpack__metadata_is_json_whatever_the_file_is_called(void **state)
{
    static const char title[] = "a/quote\" and \\ and \xc3\xa9";
    mlr_descriptor    d = layer_of("x");
    mlr_json         *j = NULL;
    const char       *text;

    (void)state;
    assert_int_equal(mlr_modelpack_annotate(&d, title, false, NULL), 0);
    text = mlr_descriptor_annotation(&d, METADATA_KEY);
    assert_int_equal(mlr_json_parse(text, strlen(text), "metadata", &j, NULL), 0);
    assert_string_equal(mlr_json_string(mlr_json_get(j, "name")), title + 2);
    mlr_json_free(j);
    mlr_descriptor_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modelpack__config_says_what_the_files_say),
        cmocka_unit_test(test_modelpack__config_names_the_quantization),
        cmocka_unit_test(test_modelpack__config_leaves_out_what_nobody_said),
        cmocka_unit_test(test_modelpack__config_escapes_what_files_say),
        cmocka_unit_test(test_modelpack__config_that_does_not_fit_is_an_error),
        cmocka_unit_test(test_modelpack__layer_is_named_for_oras_and_for_modctl),
        cmocka_unit_test(test_modelpack__layer_that_may_be_executed_says_so),
        cmocka_unit_test(test_modelpack__metadata_is_json_whatever_the_file_is_called),
    };
    return cmocka_run_group_tests_name("model/modelpack", tests, NULL, NULL);
}
