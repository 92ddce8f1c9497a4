/* tests/model/image_bed.h - images of a few layers, made header by header. Include after cmocka.h. */
#ifndef TESTS_MODEL_IMAGE_BED_H
#define TESTS_MODEL_IMAGE_BED_H
#include "bed/tar.h"
#include "checkout_bed.h"
#include "model/image.h"

#define GZIP MLR_TYPE_LAYER_TAR "+gzip"
#define DOCKER "application/vnd.docker.image.rootfs.diff.tar.gzip"

typedef struct image { mlr_buf tars[6]; size_t n; const char *type, *config_type, *diff_id; size_t diff_ids; bool packed; } image;

static inline mlr_buf *layer(image *i)
{
    i->tars[i->n] = (mlr_buf)BED_TAR_INIT;
    return &i->tars[i->n++];
}

static inline mlr_blob put_config(fixture *f, const image *i)
{
    mlr_buf json = MLR_BUF_INIT(65536);
    size_t n = i->diff_ids > 0 ? i->diff_ids : i->n;
    mlr_blob b;

    mlr_buf_puts(&json, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", NULL);
    for (size_t k = 0; k < n; k++) {
        mlr_blob d = bed_blob("", i->tars[k % i->n].data, i->tars[k % i->n].len);

        mlr_buf_printf(&json, NULL, "%s\"%s\"", k > 0 ? "," : "", i->diff_id != NULL && k == 0 ? i->diff_id : d.digest.text);
    }
    mlr_buf_puts(&json, "]}}", NULL);
    b = bed_put(f->place, REPO, json.data);
    mlr_buf_done(&json);
    return b;
}

static inline void put_layer(fixture *f, const image *i, size_t k, mlr_buf *json)
{
    mlr_buf packed = BED_TAR_INIT;
    const mlr_buf *bytes = &i->tars[k];
    const char *type = i->type != NULL ? i->type : MLR_TYPE_LAYER_TAR;
    mlr_blob b;

    if (strstr(type, "zip") != NULL || strstr(type, "zstd") != NULL) {
        bed_compress(&packed, strstr(type, "zstd") != NULL ? "zstd" : "gzip", bytes->data, bytes->len);
        bytes = &packed;
    }
    b = bed_blob(REPO, bytes->data, bytes->len);
    bed_assert_rc(bed_try_put(f->place, &b, bytes->data, bytes->len, &err), 0);
    mlr_buf_printf(json, NULL, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}", k > 0 ? "," : "", type, b.digest.text, (unsigned long long)b.bytes);
    mlr_buf_done(&packed);
}

static inline mlr_manifest *make(fixture *f, const image *i)
{
    mlr_buf json = MLR_BUF_INIT(65536);
    mlr_blob config = put_config(f, i);
    mlr_manifest *m;

    mlr_buf_printf(&json, NULL, "{\"schemaVersion\":2,\"mediaType\":\"" MLR_TYPE_MANIFEST "\",\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu},\"layers\":[",
        i->config_type != NULL ? i->config_type : MLR_TYPE_IMAGE_CONFIG, config.digest.text, (unsigned long long)config.bytes);
    for (size_t k = 0; k < i->n; k++)
        put_layer(f, i, k, &json);
    mlr_buf_puts(&json, "]}", NULL);
    m = bed_parse(json.data);
    mlr_buf_done(&json);
    return m;
}

static inline void done(image *i)
{
    for (size_t k = 0; k < i->n; k++)
        mlr_buf_done(&i->tars[k]);
}

/* A header with a mode of its own. */
static inline void entry(mlr_buf *tar, char type, const char *name, const char *link, unsigned mode)
{
    bed_tar_header(tar, type, name, link, 0);
    snprintf(tar->data + tar->len - BED_TAR_BLOCK + 100, 8, "%07o", mode);
    bed_tar_seal(tar);
}

static inline void file(mlr_buf *tar, const char *name, const char *text)
{
    bed_tar_file(tar, name, text, strlen(text));
}

static inline void folder(mlr_buf *tar, const char *name)
{
    entry(tar, '5', name, NULL, 0755);
}
#endif
