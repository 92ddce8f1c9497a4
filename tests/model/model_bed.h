/* tests/model/model_bed.h - places of every kind, one in front that counts and lies, and manifests of titled layers. Include after cmocka.h. */
#ifndef MODEL_BED_H
#define MODEL_BED_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/op.h"
#include "bed/artifact.h"
#include "bed/dir.h"
#include "bed/odd_place.h"

#define REPO "team/model"

typedef struct bed_layer {
    const char *type;          /* NULL: application/octet-stream */
    const char *title;         /* NULL: none */
    const void *data; size_t len;   /* len 0: as long as the text */
    const char *more;          /* further members of the annotations: ",\"a\":\"b\""; or NULL. Only with a title */
    const char *urls;          /* one, or NULL */
} bed_layer;

static inline size_t bed_layer_bytes(const bed_layer *l)
{
    return l->len > 0 ? l->len : strlen(l->data);
}

static inline void bed_json_layer(mlr_buf *json, const bed_layer *l)
{
    mlr_blob     b = bed_blob("", l->data, bed_layer_bytes(l));
    mlr_json_out o;

    mlr_json_begin(&o, json, NULL);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_string(&o, "mediaType", l->type != NULL ? l->type : "application/octet-stream");
    mlr_json_put_string(&o, "digest", b.digest.text);
    mlr_json_put_u64(&o, "size", b.bytes);
    if (l->title != NULL) {
        mlr_json_open(&o, "annotations", '{');
        mlr_json_put_string(&o, "org.opencontainers.image.title", l->title);
        assert_int_equal(mlr_buf_puts(json, l->more != NULL ? l->more : "", NULL), 0);
        mlr_json_close(&o, '}');
    }
    if (l->urls != NULL) {
        mlr_json_open(&o, "urls", '[');
        mlr_json_put_string(&o, NULL, l->urls);
        mlr_json_close(&o, ']');
    }
    mlr_json_close(&o, '}');
    assert_int_equal(mlr_json_end(&o), 0);
}

/* A manifest with an empty config and these layers, its blobs put where it will go (`p` NULL: nowhere). Not written. */
static inline mlr_manifest *bed_manifest(mlr_place *p, const char *repo, const bed_layer *layers, size_t n, const mlr_manifest *subject)
{
    mlr_buf       json = MLR_BUF_INIT(MLR_MANIFEST_MAX_BYTES);
    mlr_manifest *m;

    assert_int_equal(mlr_buf_puts(&json, "{ \"schemaVersion\": 2,\n\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"artifactType\":\"test/artifact\",\"x-unknown\":[1,  2],"
        "\"config\":{\"mediaType\":\"" MLR_TYPE_EMPTY "\",\"digest\":\"" BED_EMPTY "\",\"size\":2},\"layers\":[", NULL), 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(mlr_buf_puts(&json, i > 0 ? ",\n" : "", NULL), 0);
        bed_json_layer(&json, &layers[i]);
    }
    assert_int_equal(mlr_buf_puts(&json, "]", NULL), 0);
    if (subject != NULL)
        assert_int_equal(mlr_buf_printf(&json, NULL, ",\"subject\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}", subject->self.media_type,
            subject->self.digest.text, (unsigned long long)subject->self.bytes), 0);
    assert_int_equal(mlr_buf_puts(&json, "}", NULL), 0);
    if (p != NULL)
        bed_put(p, repo, "{}");
    for (size_t i = 0; p != NULL && i < n; i++) {
        mlr_blob b = bed_blob(repo, layers[i].data, bed_layer_bytes(&layers[i]));

        if (layers[i].urls == NULL)
            bed_assert_rc(bed_try_put(p, &b, layers[i].data, bed_layer_bytes(&layers[i]), &err), 0);
    }
    m = bed_parse(json.data);
    mlr_buf_done(&json);
    return m;
}

/* The same, written under a tag; gives its digest. */
static inline mlr_digest bed_artifact(mlr_place *p, const char *repo, const char *tag, const bed_layer *layers, size_t n)
{
    mlr_manifest *m = bed_manifest(p, repo, layers, n, NULL);
    mlr_digest    d = m->self.digest;

    bed_tag(p, repo, tag, m);
    mlr_manifest_free(m);
    return d;
}

/* ---- a call, with its remote ---- */

typedef struct bed_call { mlreg_op *remote; mlr_op *op; } bed_call;

static inline bed_call bed_begin(void)
{
    bed_call c = { NULL, NULL };

    bed_assert_rc(mlr_remote_new(&c.remote, &err), 0);
    bed_assert_rc(mlr_op_begin(c.remote, &c.op, &err), 0);
    return c;
}

static inline mlreg_stats bed_end(bed_call *c)
{
    mlreg_stats s = { .size = sizeof s };

    mlr_op_end(c->op);
    mlr_remote_stats(c->remote, &s);
    mlr_remote_free(c->remote);
    return s;
}

/* ---- bytes that take a while ---- */

static inline char *bed_many_bytes(size_t n, uint32_t seed)
{
    char *data = malloc(n);

    assert_non_null(data);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245 + 12345;
        data[i] = (char)(seed >> 16);
    }
    return data;
}

/* Files below a directory, at any depth. */
static inline int bed_count_files(const char *dir)
{
    char command[BED_PATH_MAX + 64], line[64] = "";
    FILE *f;

    snprintf(command, sizeof command, "find '%s' ! -type d | wc -l", dir);
    f = popen(command, "re");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    assert_int_equal(pclose(f), 0);
    return atoi(line);
}
#endif
