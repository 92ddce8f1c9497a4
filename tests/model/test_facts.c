/* tests/model/test_facts.c - what a model's own files say of it, and how ModelPack writes that. */
#include "model/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"
#include "model/weights_bed.h"

static int read_bytes(const char *title, const void *bytes, size_t len, mlr_facts *out, mlreg_error **err)
{
    mlr_reader *r = NULL;
    void       *exact = malloc(len + 1); /* so that the sanitizer sees a read behind them */
    int         rc;

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    exact = realloc(exact, len > 0 ? len : 1);
    assert_int_equal(mlr_reader_from_memory(exact, len, title, &r, NULL), 0);
    rc = mlr_facts_read(title, r, NULL, out, err);
    mlr_reader_free(r);
    free(exact);
    return rc;
}

static mlr_facts of_text(const char *title, const char *text)
{
    mlr_facts f = { 0 };

    assert_int_equal(read_bytes(title, text, strlen(text), &f, NULL), 0);
    return f;
}

static mlr_facts of_bytes(const char *title, const bed_bytes *b)
{
    mlr_facts f = { 0 };

    assert_int_equal(read_bytes(title, b->data, b->len, &f, NULL), 0);
    return f;
}

static void assert_nothing_known(mlr_facts *f)
{
    char text[32];

    assert_null(f->architecture);
    assert_null(f->family);
    assert_null(f->format);
    assert_null(f->license);
    assert_null(f->precision);
    assert_false(mlr_facts_param_size(f, text));
    assert_false(mlr_facts_precision(f, text));
    assert_false(mlr_facts_quantization(f, text));
    mlr_facts_done(f);
}

static void assert_precision(const mlr_facts *f, const char *want)
{
    char text[32];

    assert_true(mlr_facts_precision(f, text));
    assert_string_equal(text, want);
}

static void assert_param_size(const mlr_facts *f, const char *want)
{
    char text[32];

    assert_true(mlr_facts_param_size(f, text));
    assert_string_equal(text, want);
}

/* ---- config.json ---- */

static void test_facts__of_a_config_are_architecture_family_and_precision(void **state)
{
    mlr_facts f = of_text("config.json", "{\"architectures\":[\"LlamaForCausalLM\",\"Other\"],\"model_type\":\"llama\",\"torch_dtype\":\"bfloat16\"}");

    (void)state;
    assert_string_equal(f.architecture, "LlamaForCausalLM");
    assert_string_equal(f.family, "llama");
    assert_precision(&f, "bf16");
    mlr_facts_done(&f);
}

static void test_facts__take_the_newer_name_of_the_dtype_too(void **state)
{
    mlr_facts f = of_text("config.json", "{\"dtype\":\"float16\"}");

    (void)state;
    assert_precision(&f, "fp16");
    mlr_facts_done(&f);
    f = of_text("config.json", "{\"dtype\":\"float16\",\"torch_dtype\":\"float32\"}");
    assert_precision(&f, "fp32");
    mlr_facts_done(&f);
}

static void test_facts__of_a_config_whose_labels_differ_by_case_only_are_read(void **state)
{
    mlr_facts f = of_text("config.json", "{\"model_type\":\"bert\",\"label2id\":{\"PER\":0,\"per\":1}}");

    (void)state;
    assert_string_equal(f.family, "bert");
    mlr_facts_done(&f);
}

static void test_facts__of_a_config_that_is_no_json_are_none(void **state)
{
    static const char *const texts[] = { "", "{", "model_type: llama", "[1,2]", "{\"architectures\":\"not a list\",\"model_type\":7,\"torch_dtype\":null}",
        "{\"architectures\":[],\"model_type\":\"\"}", "{\"model_type\":\"a\",\"model_type\":\"b\"}" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        mlr_facts f = of_text("config.json", texts[i]);
        assert_nothing_known(&f);
    }
}

static void test_facts__of_a_config_that_is_too_long_are_none(void **state)
{
    const char *head = "{\"model_type\":\"llama\"}";
    size_t      limit = 1 << 20;
    char       *text = malloc(limit + 1);
    mlr_facts   f = { 0 };

    (void)state;
    assert_non_null(text);
    memset(text, ' ', limit + 1);
    memcpy(text, head, strlen(head));
    assert_int_equal(read_bytes("config.json", text, limit, &f, NULL), 0);
    assert_string_equal(f.family, "llama");
    mlr_facts_done(&f);
    assert_int_equal(read_bytes("config.json", text, limit + 1, &f, NULL), 0);
    assert_nothing_known(&f);
    free(text);
}

static void test_facts__come_from_the_config_at_the_top_alone(void **state)
{
    mlr_facts f = of_text("vision/config.json", "{\"model_type\":\"clip\"}");

    (void)state;
    assert_nothing_known(&f);
}

/* ---- README.md ---- */

static void test_facts__of_a_readme_are_its_license_by_its_spdx_name(void **state)
{
    static const struct { const char *text, *license; } cases[] = {
        { "---\nlicense: apache-2.0\n---\n# Model", "Apache-2.0" },
        { "---\ntags: [x]\nlicense: mit\n---\n", "MIT" },
        { "---\nlicense: cc-by-nc-4.0\n---\n", "CC-BY-NC-4.0" },
        { "---\nlicense: llama3.1\n---\n", "llama3.1" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_facts f = of_text(i % 2 == 0 ? "README.md" : "readme.md", cases[i].text);
        assert_string_equal(f.license, cases[i].license);
        mlr_facts_done(&f);
    }
}

static void test_facts__of_a_readme_without_front_matter_are_none(void **state)
{
    mlr_facts f = of_text("README.md", "# A model\nlicense: mit\n");

    (void)state;
    assert_nothing_known(&f);
}

/* ---- tensor files ---- */

static void test_facts__of_safetensors_are_parameters_and_precision(void **state)
{
    bed_bytes b;
    mlr_facts f;
    char      text[32];

    (void)state;
    bed_safetensors(&b, "BF16", 2, 1500, NULL, 0, 0);
    f = of_bytes("model.safetensors", &b);
    assert_string_equal(f.format, "safetensors");
    assert_param_size(&f, "1.5k");
    assert_precision(&f, "bf16");
    assert_false(mlr_facts_quantization(&f, text));
    mlr_facts_done(&f);
}

static void test_facts__of_nine_tenths_of_one_type_have_its_precision(void **state)
{
    bed_bytes b;
    mlr_facts f;

    (void)state;
    bed_safetensors(&b, "F16", 2, 900, "F32", 4, 100);
    f = of_bytes("m.safetensors", &b);
    assert_param_size(&f, "1k");
    assert_precision(&f, "fp16");
    mlr_facts_done(&f);
    bed_safetensors(&b, "F16", 2, 899, "F32", 4, 101);
    f = of_bytes("m.safetensors", &b);
    assert_precision(&f, "mixed");
    mlr_facts_done(&f);
}

static void test_facts__of_gguf_are_architecture_license_and_quantization(void **state)
{
    bed_bytes b;
    mlr_facts f;
    char      text[32];

    (void)state;
    bed_gguf(&b, "llama", "apache-2.0");
    f = of_bytes("model-q4.gguf", &b);
    assert_string_equal(f.format, "gguf");
    assert_string_equal(f.architecture, "llama");
    assert_string_equal(f.family, "llama");
    assert_int_equal(strncasecmp(f.license, "apache-2.0", 10), 0);
    assert_param_size(&f, "512");
    assert_true(mlr_facts_quantization(&f, text));
    assert_string_equal(text, "q4_k");
    assert_false(mlr_facts_precision(&f, text));
    mlr_facts_done(&f);
}

static void assert_refused(const char *title, const bed_bytes *b)
{
    mlreg_error *err = NULL;
    mlr_facts    f = { 0 };

    assert_int_equal(read_bytes(title, b->data, b->len, &f, &err), MLREG_EPROTO);
    if (strstr(err->message, title) == NULL)
        fail_msg("\"%s\" does not name %s", err->message, title);
    mlr_error_done(err);
    assert_null(f.format);
}

static void test_facts__of_a_malformed_tensor_file_are_an_error_that_names_it(void **state)
{
    bed_bytes b;

    (void)state;
    bed_safetensors(&b, "F32", 4, 10, NULL, 0, 0);
    b.len--;
    assert_refused("part/short.safetensors", &b);
    bed_safetensors_of(&b, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4);
    assert_refused("wrong.safetensors", &b);
    bed_gguf(&b, "llama", "mit");
    b.len -= 1;
    assert_refused("short.gguf", &b);
}

static void test_facts__of_any_other_file_are_none(void **state)
{
    mlr_facts f = of_text("tokenizer.json", "{\"model_type\":\"llama\",\"torch_dtype\":\"float16\"}");

    (void)state;
    assert_nothing_known(&f);
    f = of_text("empty", "");
    assert_nothing_known(&f);
}

static void test_facts__run_out_of_memory_without_a_leak(void **state)
{
    bed_bytes b;
    bool      done = false;

    (void)state;
    bed_gguf(&b, "llama", "mit");
    for (int n = 1; !done; n++) {
        failing_alloc fail;
        mlr_facts     f = { 0 };
        mlr_reader   *r = NULL;
        int           rc;

        assert_int_equal(mlr_reader_from_memory(b.data, b.len, "m.gguf", &r, NULL), 0);
        failing_alloc_arm(&fail, n, false);
        rc = mlr_facts_read("m.gguf", r, NULL, &f, NULL);
        done = !failing_alloc_disarm(&fail);
        assert_int_equal(rc, done ? 0 : MLREG_ENOMEM);
        mlr_reader_free(r);
        mlr_facts_done(&f);
    }
}

/* ---- together ---- */

static void merge(mlr_facts *all, mlr_facts more)
{
    assert_int_equal(mlr_facts_merge(all, &more, NULL), 0);
    mlr_facts_done(&more);
}

static void test_facts__of_shards_add_up(void **state)
{
    mlr_facts all = { 0 };
    bed_bytes b;

    (void)state;
    bed_safetensors(&b, "BF16", 2, 1000, NULL, 0, 0);
    merge(&all, of_bytes("model-00001-of-00002.safetensors", &b));
    bed_safetensors(&b, "BF16", 2, 1200, NULL, 0, 0);
    merge(&all, of_bytes("model-00002-of-00002.safetensors", &b));
    assert_int_equal(all.n_dtypes, 1);
    assert_param_size(&all, "2.2k");
    assert_precision(&all, "bf16");
    mlr_facts_done(&all);
}

static void test_facts__of_a_second_format_are_not_counted_twice(void **state)
{
    mlr_facts all = { 0 };
    bed_bytes b;

    (void)state;
    bed_safetensors(&b, "F16", 2, 512, NULL, 0, 0);
    merge(&all, of_bytes("model.safetensors", &b));
    bed_gguf(&b, "llama", "mit");
    merge(&all, of_bytes("model.gguf", &b));
    assert_string_equal(all.format, "safetensors");
    assert_param_size(&all, "512");
    assert_precision(&all, "fp16");
    assert_string_equal(all.family, "llama"); /* what only the second one says still counts */
    mlr_facts_done(&all);
}

static void test_facts__of_a_format_that_was_counted_replace_one_that_was_not(void **state)
{
    mlr_facts all = { 0 };
    bed_bytes b;

    (void)state;
    merge(&all, of_bytes("model.onnx", &(bed_bytes){ .data = "not looked into", .len = 15 }));
    assert_string_equal(all.format, "onnx");
    bed_safetensors(&b, "F32", 4, 7, NULL, 0, 0);
    merge(&all, of_bytes("model.safetensors", &b));
    assert_string_equal(all.format, "safetensors");
    assert_param_size(&all, "7");
    mlr_facts_done(&all);
}

static void test_facts__said_first_stay(void **state)
{
    mlr_facts all = { 0 };

    (void)state;
    merge(&all, of_text("README.md", "---\nlicense: mit\n---\n"));
    merge(&all, of_text("README.md", "---\nlicense: apache-2.0\n---\n"));
    assert_string_equal(all.license, "MIT");
    mlr_facts_done(&all);
}

static void test_facts__of_tensors_count_for_more_than_the_configs_word(void **state)
{
    mlr_facts all = { 0 };
    bed_bytes b;

    (void)state;
    merge(&all, of_text("config.json", "{\"torch_dtype\":\"float32\"}"));
    assert_precision(&all, "fp32");
    bed_safetensors(&b, "BF16", 2, 3, NULL, 0, 0);
    merge(&all, of_bytes("m.safetensors", &b));
    assert_precision(&all, "bf16");
    mlr_facts_done(&all);
}

/* ---- in ModelPack's words ---- */

static void test_facts__write_a_size_with_its_unit(void **state)
{
    static const struct { uint64_t n; const char *text; } cases[] = {
        { 1, "1" }, { 999, "999" }, { 1000, "1k" }, { 22713728, "22.7m" }, { 124439808, "124m" }, { 8000000000, "8b" }, { 8030261248, "8b" },
        { 70553706496, "70.6b" }, { 671026419200, "671b" }, { 1000000000000, "1t" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mlr_facts f = { .n_dtypes = 1, .dtypes = { { "BF16", cases[i].n } } };
        assert_param_size(&f, cases[i].text);
    }
}

static void test_facts__write_sizes_that_fit_whatever_a_header_claims(void **state)
{
    mlr_facts f = { .n_dtypes = 2, .dtypes = { { "BF16", UINT64_MAX }, { "F32", UINT64_MAX } } };
    char      text[32];

    (void)state;
    assert_true(mlr_facts_param_size(&f, text));
    assert_string_equal(text, "18446744t");
}

static void test_facts__name_every_precision_as_modelpack_does(void **state)
{
    static const char *const names[][2] = { { "F64", "fp64" }, { "F32", "fp32" }, { "F16", "fp16" }, { "BF16", "bf16" }, { "F8_E4M3", "fp8" },
        { "F8_E5M2", "fp8" }, { "I8", "int8" } };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        mlr_facts f = { .n_dtypes = 1 };

        snprintf(f.dtypes[0].name, sizeof f.dtypes[0].name, "%s", names[i][0]);
        f.dtypes[0].parameters = 10;
        assert_precision(&f, names[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts__of_a_config_are_architecture_family_and_precision),
        cmocka_unit_test(test_facts__take_the_newer_name_of_the_dtype_too),
        cmocka_unit_test(test_facts__of_a_config_whose_labels_differ_by_case_only_are_read),
        cmocka_unit_test(test_facts__of_a_config_that_is_no_json_are_none),
        cmocka_unit_test(test_facts__of_a_config_that_is_too_long_are_none),
        cmocka_unit_test(test_facts__come_from_the_config_at_the_top_alone),
        cmocka_unit_test(test_facts__of_a_readme_are_its_license_by_its_spdx_name),
        cmocka_unit_test(test_facts__of_a_readme_without_front_matter_are_none),
        cmocka_unit_test(test_facts__of_safetensors_are_parameters_and_precision),
        cmocka_unit_test(test_facts__of_nine_tenths_of_one_type_have_its_precision),
        cmocka_unit_test(test_facts__of_gguf_are_architecture_license_and_quantization),
        cmocka_unit_test(test_facts__of_a_malformed_tensor_file_are_an_error_that_names_it),
        cmocka_unit_test(test_facts__of_any_other_file_are_none),
        cmocka_unit_test(test_facts__run_out_of_memory_without_a_leak),
        cmocka_unit_test(test_facts__of_shards_add_up),
        cmocka_unit_test(test_facts__of_a_second_format_are_not_counted_twice),
        cmocka_unit_test(test_facts__of_a_format_that_was_counted_replace_one_that_was_not),
        cmocka_unit_test(test_facts__said_first_stay),
        cmocka_unit_test(test_facts__of_tensors_count_for_more_than_the_configs_word),
        cmocka_unit_test(test_facts__write_a_size_with_its_unit),
        cmocka_unit_test(test_facts__write_sizes_that_fit_whatever_a_header_claims),
        cmocka_unit_test(test_facts__name_every_precision_as_modelpack_does),
    };
    return cmocka_run_group_tests_name("model/facts", tests, NULL, NULL);
}
