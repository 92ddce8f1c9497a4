/* model/find.c - the files of an image, found by path and by what they are: layer by layer, the later ones over the earlier. */
#include "model/find.h"

#include <stdio.h>
#include <string.h>
#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "model/found.h"
#include "model/glob.h"
#include "model/kinds.h"
#include "model/layer.h"
#include "model/modelpack.h"
#include "model/rootfs_parts.h"
#include "model/unpack.h"
#include "place/absent.h"

#define HEAD_BYTES   512u
#define FOUND_MAX    100000u
#define MEMBERS_MAX  2000000u
#define SAID_MAX     ((uint64_t)256 << 20) /* of what layers say about themselves, which each of their files says again */

struct finding {
    mlr_place *place;
    const char *repo;
    mlr_rootfs_name path;                  /* as it was written, without the slash in front */
    bool by_kind;
    mlr_found found;
    size_t layer;                          /* which one is read */
    mlr_op *op;
};
struct file { const char *path; uint64_t bytes; uint8_t head[HEAD_BYTES]; size_t head_bytes; };

/* ---- what is wanted ---- */

static bool wanted(const struct finding *x, const struct file *f)
{
    if (!x->by_kind)
        return mlr_rootfs_is_below(f->path, x->path.text) || mlr_glob_match(x->path.text, f->path);
    return mlr_kind_of(f->path, f->head, f->head_bytes, f->bytes) == MLR_KIND_WEIGHT && mlr_kind_format(f->path, f->head, f->head_bytes) != NULL;
}

static int too_many(mlreg_error **err)
{
    int rc = mlr_error_set(err, MLREG_ELIMIT, "the image has more than %u such files", FOUND_MAX);

    return mlr_error_hint(err, rc, "name a part of it: --path '/models/**'");
}

static int add(struct finding *x, const struct file *f, mlreg_error **err)
{
    if (!wanted(x, f) || !mlr_utf8_valid(f->path, strlen(f->path)))
        return 0;
    if (x->found.n - x->found.n_hidden == FOUND_MAX)
        return too_many(err);
    return mlr_found_add(&x->found, f->path, f->bytes, mlr_kind_format(f->path, f->head, f->head_bytes), x->layer, err);
}

/* ---- layers ---- */

static void white_out(struct finding *x, mlr_rootfs_name *path, char *name)
{
    if (strcmp(name, MLR_OPAQUE) == 0) {
        name[name > path->text ? -1 : 0] = '\0';
        mlr_found_hide(&x->found, path->text, false, true);
    } else if (name[MLR_WHITEOUT_LEN] != '\0' && strncmp(name + MLR_WHITEOUT_LEN, MLR_WHITEOUT, MLR_WHITEOUT_LEN) != 0) {
        memmove(name, name + MLR_WHITEOUT_LEN, strlen(name + MLR_WHITEOUT_LEN) + 1);
        mlr_found_hide(&x->found, path->text, true, true);
    }
}

static int take_member(struct finding *x, mlr_archive *a, const mlr_member *m, mlreg_error **err)
{
    struct file f = { .bytes = m->bytes };
    mlr_rootfs_name path;
    char *slash;
    int64_t n;
    int rc = mlr_rootfs_clean(m->name, &path, err);

    if (rc < 0)
        return rc;
    slash = strrchr(path.text, '/');
    if (strncmp(slash != NULL ? slash + 1 : path.text, MLR_WHITEOUT, MLR_WHITEOUT_LEN) == 0) {
        white_out(x, &path, slash != NULL ? slash + 1 : path.text);
        return 0;
    }
    mlr_found_hide(&x->found, path.text, true, m->kind != MLR_MEMBER_DIR);
    if (m->kind != MLR_MEMBER_FILE)
        return 0;
    if ((n = mlr_archive_read(a, f.head, sizeof f.head, err)) < 0)
        return (int)n;
    f.head_bytes = (size_t)n;
    f.path = path.text;
    return add(x, &f, err);
}

static int read_members(struct finding *x, mlr_reader *bytes, mlreg_error **err)
{
    const mlr_archive_limits limits = { .members = MEMBERS_MAX };
    mlr_archive *a = NULL;
    mlr_member m;
    int rc = mlr_archive_open(bytes, &limits, x->op, &a, err);

    while (rc >= 0 && (rc = mlr_archive_next(a, &m, err)) == 1)
        rc = take_member(x, a, &m, err);
    mlr_archive_free(a);
    return rc;
}

static int read_whole(struct finding *x, const mlr_blob *b, mlreg_error **err)
{
    const mlr_layer_open whole = { 0 };
    mlr_layer_view view;
    mlr_layer *l = NULL;
    int rc = mlr_layer_open_at(x->place, b, &whole, x->op, &l, err);

    if (rc == 0)
        rc = read_members(x, mlr_layer_as_reader(&view, l, b->digest.text), err);
    mlr_layer_free(l);
    return rc;
}

/* Whether a layer may say so of its one file. */
static bool is_file_name(const char *named, mlr_rootfs_name *path)
{
    const char *slash;

    if (mlr_rootfs_clean(named, path, NULL) < 0 || path->text[0] == '\0')
        return false;
    slash = strrchr(path->text, '/');
    return strncmp(slash != NULL ? slash + 1 : path->text, MLR_WHITEOUT, MLR_WHITEOUT_LEN) != 0;
}

/* The file that the layer says it is: its beginning, by range. What is unpacked of it later is checked. */
static int read_named(struct finding *x, const mlr_blob *b, const char *path, mlreg_error **err)
{
    const mlr_layer_open by_range = { .unverified = true };
    struct file f = { .path = path };
    mlr_layer *l = NULL;
    int64_t n = 0;
    int rc;

    if ((rc = mlr_layer_open_file(x->place, b, &by_range, x->op, &l, err)) == 0) {
        f.bytes = mlr_layer_bytes(l);
        n = mlr_layer_read_at(l, 0, f.head, f.bytes < sizeof f.head ? (size_t)f.bytes : sizeof f.head, x->op, err);
        f.head_bytes = n > 0 ? (size_t)n : 0;
        rc = n < 0 ? (int)n : 0;
    }
    mlr_layer_free(l);
    if (rc < 0)
        return rc;
    mlr_found_hide(&x->found, path, true, true);
    return add(x, &f, err);
}

static int read_layer(struct finding *x, const mlr_descriptor *layer, mlreg_error **err)
{
    const char *named = mlr_descriptor_annotation(layer, MLR_FILEPATH_KEY);
    mlr_blob b = { x->repo, layer->digest, layer->bytes, layer->media_type };
    mlr_rootfs_name path;
    mlreg_error *why = NULL;
    int rc = MLREG_ENOTSUP;

    if (named != NULL && is_file_name(named, &path))
        rc = read_named(x, &b, path.text, &why);
    if (rc == MLREG_ENOTSUP) {             /* packed, or more than one file: it has to be read to its end */
        mlr_error_done(why);
        why = NULL;
        rc = read_whole(x, &b, &why);
    }
    if (rc == 0)
        rc = mlr_found_settle(&x->found, &why);
    mlr_error_move(err, &why);
    mlr_absent_hint(layer, MLR_ABSENT_COPY, rc, err);
    return mlr_error_subject(err, mlr_error_at(err, rc, x->place->name), layer->digest.text);
}

/* ---- what is told of them ---- */

static int annotate(mlr_descriptor *d, const mlr_found_file *f, mlreg_error **err)
{
    char bytes[24];
    int rc;

    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)f->bytes);
    if ((rc = mlr_descriptor_annotate(d, MLR_TITLE_KEY, f->path, err)) == 0 && (rc = mlr_descriptor_annotate(d, MLR_FIND_BYTES_KEY, bytes, err)) == 0)
        rc = mlr_descriptor_annotate(d, MLR_FIND_FORMAT_KEY, f->format, err);
    return rc;
}

static int tell(mlr_list *l, const mlr_found_file *f, const mlr_descriptor *layer, mlreg_error **err)
{
    mlr_descriptor d = { 0 };
    int rc;

    if ((rc = mlr_descriptor_copy(layer, &d, err)) == 0 && (rc = annotate(&d, f, err)) == 0)
        rc = mlr_list_add(l, f->path, &d, err);
    mlr_descriptor_done(&d);
    return rc;
}

static uint64_t said_by(const mlr_descriptor *layer)
{
    uint64_t bytes = layer->n_annotations * sizeof *layer->annotations + layer->n_urls * sizeof *layer->urls;

    for (size_t i = 0; i < layer->n_annotations; i++)
        bytes += strlen(layer->annotations[i].key) + strlen(layer->annotations[i].value);
    for (size_t i = 0; i < layer->n_urls; i++)
        bytes += strlen(layer->urls[i]);
    return bytes;
}

static int check_said(const struct finding *x, const mlr_manifest *m, mlreg_error **err)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < x->found.n; i++)
        if ((bytes += said_by(&m->layers[x->found.items[i].layer])) > SAID_MAX)
            return mlr_error_hint(err, mlr_error_set(err, MLREG_ELIMIT, "the image's layers say too much about themselves to be told for each of %zu files", x->found.n),
                "name a part of it: --path '/models/**'");
    return 0;
}

static int tell_all(const struct finding *x, const mlr_manifest *m, mlr_list *l, mlreg_error **err)
{
    int rc = check_said(x, m, err);

    for (size_t i = 0; i < x->found.n && rc == 0; i++)
        rc = tell(l, &x->found.items[i], &m->layers[x->found.items[i].layer], err);
    mlr_list_sort(l);
    return rc;
}

int mlr_find(mlr_place *p, const char *repo, const mlr_manifest *m, const char *path, mlr_op *op, mlr_list **out, mlreg_error **err)
{
    struct finding x = { .place = p, .repo = repo, .by_kind = path == NULL, .op = op };
    mlr_list *l = NULL;
    int rc;

    if ((rc = mlr_rootfs_check(m, err)) < 0 || (rc = mlr_rootfs_clean(path != NULL ? path : "", &x.path, err)) < 0)
        return rc;
    for (; x.layer < m->n_layers && rc == 0; x.layer++)
        rc = read_layer(&x, &m->layers[x.layer], err);
    if (rc == 0 && (rc = mlr_list_new(&l, err)) == 0)
        rc = tell_all(&x, m, l, err);
    mlr_found_done(&x.found);
    if (rc < 0)
        mlr_list_free(l);
    else
        *out = l;
    return rc;
}
