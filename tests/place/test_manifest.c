/* place/test_manifest.c - manifests: one reading only, exact bytes, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "bed/failing_alloc.h"
#include "place/manifest.h"

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define CONFIG "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" EMPTY "\",\"size\":2}"
#define LAYER "{\"mediaType\":\"application/octet-stream\",\"digest\":\"" EMPTY "\",\"size\":2}"
#define CHILD "{\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"digest\":\"" EMPTY "\",\"size\":2,\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}"
#define IMAGE_BODY "\"config\":" CONFIG ",\"layers\":[" LAYER "," LAYER "]"

static int parse(const char *json, const char *type, mlr_manifest **out, mlreg_error **err)
{
    return mlr_manifest_parse(json, strlen(json), type, out, err);
}

static void test_manifest__image_is_read_and_kept_exactly(void **state)
{
    static const char json[] = "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"artifactType\":\"x/y\"," IMAGE_BODY
                               ",\"subject\":" CHILD ",\"annotations\":{\"a\":\"b\"}, \"unknown\" : 1 }\n";
    mlr_manifest *m = NULL;
    mlr_digest    digest;
    (void)state;
    assert_int_equal(parse(json, MLR_TYPE_MANIFEST, &m, NULL), 0);
    assert_false(m->is_index);
    assert_int_equal(m->json_bytes, strlen(json));
    assert_string_equal(m->json, json);
    mlr_digest_of(json, strlen(json), &digest);
    assert_string_equal(m->self.digest.text, digest.text);
    assert_int_equal(m->self.bytes, strlen(json));
    assert_string_equal(m->self.media_type, MLR_TYPE_MANIFEST);
    assert_string_equal(m->self.artifact_type, "x/y");
    assert_string_equal(mlr_descriptor_annotation(&m->self, "a"), "b");
    assert_int_equal(m->n_layers, 2);
    assert_non_null(m->config);
    assert_non_null(m->subject);
    mlr_manifest_free(m);
}

static void test_manifest__index_is_read(void **state)
{
    mlr_manifest *m = NULL;
    (void)state;
    assert_int_equal(parse("{\"schemaVersion\":2,\"manifests\":[" CHILD "]}", NULL, &m, NULL), 0);
    assert_true(m->is_index);
    assert_string_equal(m->self.media_type, MLR_TYPE_INDEX);
    assert_int_equal(m->n_children, 1);
    assert_string_equal(m->children[0].platform, "linux/amd64");
    assert_null(m->config);
    mlr_manifest_free(m);
    assert_int_equal(parse("{\"schemaVersion\":2,\"manifests\":null}", MLR_TYPE_INDEX, &m, NULL), 0);
    assert_int_equal(m->n_children, 0);
    mlr_manifest_free(m);
}

static void test_manifest__docker_types_are_read_alike(void **state)
{
    mlr_manifest *m = NULL;
    (void)state;
    assert_int_equal(parse("{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_DOCKER_MANIFEST "\"," IMAGE_BODY "}", NULL,
                           &m, NULL), 0);
    assert_false(m->is_index);
    mlr_manifest_free(m);
    assert_int_equal(parse("{\"schemaVersion\":2,\"manifests\":[" CHILD "]}", MLR_TYPE_DOCKER_LIST, &m, NULL), 0);
    assert_true(m->is_index);
    assert_string_equal(m->self.media_type, MLR_TYPE_DOCKER_LIST);
    mlr_manifest_free(m);
}

static void test_manifest__purpose_falls_back_to_the_config(void **state)
{
    mlr_manifest *m = NULL;
    (void)state;
    assert_int_equal(parse("{\"schemaVersion\":2," IMAGE_BODY "}", NULL, &m, NULL), 0);
    assert_string_equal(m->self.artifact_type, "application/vnd.oci.image.config.v1+json");
    mlr_manifest_free(m);
}

static void test_manifest__a_type_that_is_none_leaves_it_to_the_body(void **state)
{
    mlr_manifest *m = NULL;
    (void)state;
    assert_int_equal(parse("{\"schemaVersion\":2," IMAGE_BODY "}", "text/plain; charset=utf-8", &m, NULL), 0);
    assert_string_equal(m->self.media_type, MLR_TYPE_MANIFEST);
    mlr_manifest_free(m);
}

typedef struct refusal {
    const char *json, *type, *word;
    int         rc;
} refusal;

static void test_manifest__refuses_what_can_be_read_in_two_ways(void **state)
{
    static const refusal cases[] = {
        { "{\"schemaVersion\":2,\"manifests\":[]," IMAGE_BODY "}", NULL, "index and an image", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"manifests\":null," IMAGE_BODY "}", MLR_TYPE_MANIFEST, "index and an image",
          MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", MLR_TYPE_INDEX, "index and an image", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"manifests\":[],\"config\":" CONFIG "}", MLR_TYPE_INDEX, "index and an image",
          MLREG_EPROTO },
        { "{\"schemaVersion\":2," IMAGE_BODY "}", MLR_TYPE_INDEX, "index and an image", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\"," IMAGE_BODY "}", MLR_TYPE_INDEX,
          "calls itself", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_INDEX "\",\"manifests\":[]}", MLR_TYPE_DOCKER_LIST,
          "calls itself", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"schemaVersion\":2," IMAGE_BODY "}", NULL, "manifest", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"Layers\":[]," IMAGE_BODY "}", NULL, "manifest", MLREG_EPROTO },
        { "{\"schemaVersion\":2," IMAGE_BODY "} x", NULL, "manifest", MLREG_EPROTO },
        { "\xef\xbb\xbf{\"schemaVersion\":2," IMAGE_BODY "}", NULL, "manifest", MLREG_EPROTO },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlr_manifest *m = NULL;
        mlreg_error  *err = NULL;
        assert_int_equal(parse(cases[i].json, cases[i].type, &m, &err), cases[i].rc);
        assert_non_null(strstr(err->message, cases[i].word));
        mlr_error_done(err);
    }
}

static void test_manifest__refuses_what_is_none(void **state)
{
    static const refusal cases[] = {
        { "", NULL, "manifest", MLREG_EPROTO },
        { "[]", NULL, "object", MLREG_EPROTO },
        { "<html>", NULL, "manifest", MLREG_EPROTO },
        { "{}", NULL, "schemaVersion", MLREG_EPROTO },
        { "{\"schemaVersion\":\"2\"}", NULL, "schemaVersion", MLREG_EPROTO },
        { "{\"schemaVersion\":3," IMAGE_BODY "}", NULL, "schemaVersion", MLREG_EPROTO },
        { "{\"schemaVersion\":2}", NULL, "layers", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"config\":" CONFIG "}", NULL, "layers", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"mediaType\":\"text/html\"," IMAGE_BODY "}", NULL, "text/html", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"mediaType\":7," IMAGE_BODY "}", NULL, "mediaType", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"layers\":[1]}", NULL, "layers[0]", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"layers\":[" LAYER ",{}]}", NULL, "layers[1]", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"layers\":{}}", NULL, "layers", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"artifactType\":[]," IMAGE_BODY "}", NULL, "artifactType", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"annotations\":{\"a\":[]}," IMAGE_BODY "}", NULL, "annotation", MLREG_EPROTO },
        { "{\"schemaVersion\":2,\"subject\":{}," IMAGE_BODY "}", NULL, "subject", MLREG_EPROTO },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlr_manifest *m = NULL;
        mlreg_error  *err = NULL;
        assert_int_equal(parse(cases[i].json, cases[i].type, &m, &err), cases[i].rc);
        assert_non_null(strstr(err->message, cases[i].word));
        mlr_error_done(err);
    }
}

static void test_manifest__schema_1_is_refused_with_a_hint(void **state)
{
    static const refusal cases[] = {
        { "{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, "schema 1", MLREG_ENOTSUP },
        { "{\"schemaVersion\":2," IMAGE_BODY "}", "application/vnd.docker.distribution.manifest.v1+prettyjws",
          "schema 1", MLREG_ENOTSUP },
        { "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v1+json\"}", NULL,
          "schema 1", MLREG_ENOTSUP },
        { "{\"schemaVersion\":2,\"fsLayers\":[]," IMAGE_BODY "}", NULL, "schema 1", MLREG_ENOTSUP },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mlr_manifest *m = NULL;
        mlreg_error  *err = NULL;
        assert_int_equal(parse(cases[i].json, cases[i].type, &m, &err), cases[i].rc);
        assert_non_null(strstr(err->message, cases[i].word));
        assert_non_null(err->hint);
        mlr_error_done(err);
    }
}

/* A manifest of exactly `len` bytes: blanks are part of it. */
static char *padded(size_t len)
{
    static const char json[] = "{\"schemaVersion\":2," IMAGE_BODY "}";
    char             *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, ' ', len);
    memcpy(text, json, strlen(json));
    text[len] = 0;
    return text;
}

static void test_manifest__has_at_most_4_mib(void **state)
{
    mlr_manifest *m = NULL;
    mlreg_error  *err = NULL;
    char         *text = padded(MLR_MANIFEST_MAX_BYTES + 1);
    (void)state;
    assert_int_equal(mlr_manifest_parse(text, MLR_MANIFEST_MAX_BYTES, NULL, &m, NULL), 0);
    mlr_manifest_free(m);
    assert_int_equal(mlr_manifest_parse(text, MLR_MANIFEST_MAX_BYTES + 1, NULL, &m, &err), MLREG_ELIMIT);
    mlr_error_done(err);
    free(text);
}

/* As many of the shortest layers as 4 MiB hold: nothing in the reading is quadratic. */
static void test_manifest__as_many_layers_as_fit_are_read(void **state)
{
    static const char layer[] = "{\"mediaType\":\"a\",\"digest\":\"" EMPTY "\",\"size\":2}";
    mlr_buf       b = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_manifest *m = NULL;
    size_t        n = 0;
    (void)state;
    assert_int_equal(mlr_buf_puts(&b, "{\"schemaVersion\":2,\"layers\":[", NULL), 0);
    for (; b.len + sizeof(layer) + 2 <= MLR_MANIFEST_MAX_BYTES; n++) {
        if (n > 0)
            assert_int_equal(mlr_buf_puts(&b, ",", NULL), 0);
        assert_int_equal(mlr_buf_puts(&b, layer, NULL), 0);
    }
    assert_int_equal(mlr_buf_puts(&b, "]}", NULL), 0);
    assert_int_equal(mlr_manifest_parse(b.data, b.len, NULL, &m, NULL), 0);
    assert_true(n > 35000);
    assert_int_equal(m->n_layers, n);
    mlr_manifest_free(m);
    mlr_buf_done(&b);
}

static void test_manifest__every_cut_is_refused(void **state)
{
    static const char json[] = "{\"schemaVersion\":2,\"annotations\":{\"a\":\"b\"}," IMAGE_BODY "}";
    (void)state;
    for (size_t len = 0; len < strlen(json); len++) {
        mlr_manifest *m = NULL;
        assert_int_equal(mlr_manifest_parse(json, len, NULL, &m, NULL), MLREG_EPROTO);
        assert_null(m);
    }
}

static void test_manifest__out_of_memory_leaves_nothing_behind(void **state)
{
    static const char json[] = "{\"schemaVersion\":2,\"annotations\":{\"a\":\"b\"},\"subject\":" CHILD "," IMAGE_BODY "}";
    bool fired = true;
    (void)state;
    for (int n = 1; fired; n++) {
        failing_alloc f;
        mlr_manifest *m = NULL;
        mlreg_error  *err = NULL;
        failing_alloc_arm(&f, n, true);
        int rc = parse(json, NULL, &m, &err);
        fired = failing_alloc_disarm(&f);
        assert_int_equal(rc, fired ? MLREG_ENOMEM : 0);
        assert_int_equal(m != NULL, rc == 0);
        mlr_error_done(err);
        mlr_manifest_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest__image_is_read_and_kept_exactly),
        cmocka_unit_test(test_manifest__index_is_read),
        cmocka_unit_test(test_manifest__docker_types_are_read_alike),
        cmocka_unit_test(test_manifest__purpose_falls_back_to_the_config),
        cmocka_unit_test(test_manifest__a_type_that_is_none_leaves_it_to_the_body),
        cmocka_unit_test(test_manifest__refuses_what_can_be_read_in_two_ways),
        cmocka_unit_test(test_manifest__refuses_what_is_none),
        cmocka_unit_test(test_manifest__schema_1_is_refused_with_a_hint),
        cmocka_unit_test(test_manifest__has_at_most_4_mib),
        cmocka_unit_test(test_manifest__as_many_layers_as_fit_are_read),
        cmocka_unit_test(test_manifest__every_cut_is_refused),
        cmocka_unit_test(test_manifest__out_of_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("place/manifest", tests, NULL, NULL);
}
