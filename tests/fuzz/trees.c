/* fuzz/trees.c - targets: what evil layers make of a folder; never anything outside of it. */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "bed/tar.h"
#include "fuzz.h"
#include "model/checkout.h"
#include "model/image.h"
#include "model/rootfs.h"
#include "place/place.h"

#define REPO "fuzz"
#define MOST_ENTRIES 40

/* Bytes of chance name one of these each: few words meet each other more often than all words do. */
static const char *const names[] = {
    "a", "b", "a/b", "a/b/c", "./a", "a/", "l", "l/x", "l/a/b", "..", "../x", "a/../../x", "/x", "/etc/x", ".", "./", "",
    "a/.wh.b", ".wh.a", ".wh.l", ".wh..wh..opq", "a/.wh..wh..opq", ".wh..", ".wh...", "a/.wh.", "x", "x/y", "a//b", "a/./b",
    "secret", "../secret", "l/secret", "l/../secret", "\xff", "a\\b", "con", "A", "B",
};
static const char *const links[] = { "a", "b", "..", "../..", "../secret", "/", "/etc", ".", "l", "a/b", "l/x", "../../../../tmp", "secret", "" };

struct input { const uint8_t *at, *end; };

static unsigned next(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static void entry(struct input *in, mlr_buf *tar)
{
    static const char types[] = "0000555221122367";
    char              type = types[next(in) % 16], text[2] = { (char)('a' + next(in) % 8), 0 };
    const char       *name = names[next(in) % (sizeof names / sizeof *names)];

    if (type == '0') {
        bed_tar_header(tar, type, name, NULL, 1);
        bed_tar_body(tar, text, 1);
    } else {
        bed_tar_header(tar, type, name, type == '1' || type == '2' ? links[next(in) % (sizeof links / sizeof *links)] : NULL, 0);
    }
    if (next(in) % 8 == 0) {
        snprintf(tar->data + tar->len - BED_TAR_BLOCK * (type == '0' ? 2 : 1) + 100, 8, "%07o", next(in) << 3 & 07777);
        if (type != '0')
            bed_tar_seal(tar);
    }
}

/* ---- a place with such an artifact ---- */

static mlr_blob put(mlr_place *p, const char *type, const void *data, size_t len)
{
    mlr_blob    b = { .repo = REPO, .bytes = len, .media_type = type };
    mlr_reader *r = NULL;

    mlr_digest_of(data, len, &b.digest);
    FUZZ_HOLDS(mlr_reader_from_memory(data, len, "fuzz", &r, NULL) == 0 && mlr_place_blob_write(p, &b, r, NULL, NULL) >= 0);
    mlr_reader_free(r);
    return b;
}

static mlr_manifest *artifact(mlr_place *p, struct input *in, bool is_image)
{
    const char   *type = is_image ? MLR_TYPE_LAYER_TAR : "application/vnd.cncf.model.weight.v1.tar";
    mlr_buf       json = MLR_BUF_INIT(1 << 20), config = MLR_BUF_INIT(1 << 20);
    size_t        n_layers = 1 + next(in) % 3;
    mlr_manifest *m = NULL;
    mlr_blob      b;

    mlr_buf_puts(&config, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", NULL);
    for (size_t i = 0; i < n_layers; i++) {
        mlr_buf tar = BED_TAR_INIT;

        for (unsigned n = next(in) % MOST_ENTRIES; n > 0; n--)
            entry(in, &tar);
        bed_tar_end(&tar);
        b = put(p, type, tar.data, tar.len);
        mlr_buf_done(&tar);
        mlr_buf_printf(&config, NULL, "%s\"%s\"", i > 0 ? "," : "", b.digest.text);
        mlr_buf_printf(&json, NULL, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}", i > 0 ? "," : "", type,
                       b.digest.text, (unsigned long long)b.bytes);
    }
    mlr_buf_puts(&config, "]}}", NULL);
    b = put(p, MLR_TYPE_IMAGE_CONFIG, config.data, config.len);
    mlr_buf_printf(&json, NULL, "],\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu}}",
                   is_image ? MLR_TYPE_IMAGE_CONFIG : "application/vnd.cncf.model.config.v1+json", b.digest.text, (unsigned long long)b.bytes);
    mlr_buf_done(&config);
    config = (mlr_buf)MLR_BUF_INIT(1 << 20);
    mlr_buf_printf(&config, NULL, "{\"schemaVersion\":2,\"layers\":[%s", json.data);
    FUZZ_HOLDS(mlr_manifest_parse(config.data, config.len, MLR_TYPE_MANIFEST, &m, NULL) == 0);
    mlr_buf_done(&config);
    mlr_buf_done(&json);
    return m;
}

/* ---- a folder with a secret beside it ---- */

static char top[64];

static void remove_tree(const char *path)
{
    DIR           *d = opendir(path);
    struct dirent *e;
    char           below[4096];

    chmod(path, 0700);
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        if (unlink(below) != 0)
            remove_tree(below);
    }
    if (d != NULL)
        closedir(d);
    rmdir(path);
}

static const char *at(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

static void set_up(void)
{
    FILE *f;

    snprintf(top, sizeof top, "/tmp/mlreg-fuzz-XXXXXX");
    FUZZ_HOLDS(mkdtemp(top) != NULL && (f = fopen(at("secret"), "w")) != NULL && fputs("secret", f) > 0 && fclose(f) == 0);
    FUZZ_HOLDS(chmod(at("secret"), 0600) == 0);
}

/* Nothing but the folder came, and the secret is as it was: bytes, mode and number of names. */
static void look_and_clear(bool is_there)
{
    DIR           *d = opendir(top);
    struct dirent *e;
    struct stat    st;
    size_t         n = 0;
    char           text[8] = { 0 };
    FILE          *f = fopen(at("secret"), "r");

    FUZZ_HOLDS(d != NULL && f != NULL && fread(text, 1, sizeof text, f) == 6 && memcmp(text, "secret", 6) == 0);
    FUZZ_HOLDS(fstat(fileno(f), &st) == 0 && (st.st_mode & 07777) == 0600 && st.st_nlink == 1);
    fclose(f);
    while ((e = readdir(d)) != NULL) {
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
        FUZZ_HOLDS(e->d_name[0] == '.' || strcmp(e->d_name, "secret") == 0 || strcmp(e->d_name, "out") == 0);
    }
    closedir(d);
    FUZZ_HOLDS(n == (is_there ? 2u : 1u));
    remove_tree(top);
}

static void tree(const uint8_t *data, size_t len, bool is_image)
{
    struct input     in = { data, data + len };
    const mlr_limits inline_work = { .threads = (uint32_t)MLREG_NONE };
    mlr_runtime     *rt = NULL;
    mlr_place       *p = NULL;
    mlr_manifest    *m;
    mlreg_error     *err = NULL;
    int              rc;

    set_up();
    FUZZ_HOLDS(mlr_runtime_new(&inline_work, &rt, NULL) == 0 && mlr_memory_open(rt, &p, NULL) == 0);
    m = artifact(p, &in, is_image);
    if (is_image)
        rc = mlr_rootfs_unpack(p, REPO, m, at("out"), &(mlr_rootfs){ 0 }, NULL, &err);
    else
        rc = mlr_checkout_run(p, REPO, m, at("out"), &(mlr_checkout){ 0 }, NULL, &err);
    FUZZ_HOLDS(rc >= 0 ? err == NULL : err != NULL && err->code == rc);
    mlr_error_done(err);
    mlr_manifest_free(m);
    mlr_place_close(p);
    mlr_runtime_unref(rt);
    look_and_clear(access(at("out"), F_OK) == 0);
}

static void image(const uint8_t *data, size_t len)
{
    tree(data, len, true);
}

static void model(const uint8_t *data, size_t len)
{
    tree(data, len, false);
}

const fuzz_target fuzz_trees[] = { { "image", image }, { "model", model }, { NULL, NULL } };
