/* cmd_image.c - image build, artifact, unpack: images that run, and the models in them. */
#include "cli.h"

#include <limits.h>
#include <string.h>

#define MODELS "/models"
#define LARGE_BYTES (1u << 20)      /* what nobody calls small any more */

/* Another artifact that goes in, and where it is. */
typedef struct part { spot at; mlreg_artifact *artifact; } part;
/* "SRC:/DST", taken apart. */
typedef struct pair { char source[PATH_MAX]; const char *path; } pair;

static void split(const char *text, const char *otherwise, pair *out)
{
    const char *colon = NULL;

    for (const char *at = text; (at = strstr(at, ":/")) != NULL; at++)
        if (at[2] != '/')            /* of "https://…" it is none */
            colon = at;
    snprintf(out->source, sizeof out->source, "%.*s", colon != NULL ? (int)(colon - text) : (int)strlen(text), text);
    out->path = colon != NULL ? colon + 1 : otherwise;
}

/* Of an index what fits the image's platform. */
static int part_open(cli *c, const char *text, part *p)
{
    mlreg_error *err = NULL;
    char hint[HINT_BYTES];
    choice ch = { 0 };
    int status = spot_open(c, text, SPOT_NEEDS_ONE, &p->at);

    if (status == EXIT_OK)
        status = choice_open(c, true, &p->at, &ch);
    if (status == EXIT_OK && mlreg_session_resolve(p->at.session, p->at.ref, &ch.options, op_quiet(), &p->artifact, &err) < 0)
        status = fail(err, spot_hint(&p->at, err, hint), "read %s", text);
    choice_close(&ch);
    return status;
}

static void part_close(part *p)
{
    mlreg_artifact_free(p->artifact);
    spot_close(&p->at);
}

/* ---- what goes in, in the order in which it is likely to change ---- */

typedef struct image { part base, model; pair from_model; } image;

static uint32_t packing(const cli *c)
{
    return (c->gzip ? MLREG_LAYER_GZIP : 0) | (c->zstd ? MLREG_LAYER_ZSTD : 0);
}

static void begin_layer(const cli *c, mlreg_layer_options *o, const char *path)
{
    MLREG_INIT(*o);
    o->title = path;
    o->flags = packing(c);
}

/* A tar stays the blob that it is, at the path inside; a file is wrapped, below `path`. */
static int add_layer(const cli *c, mlreg_builder *b, mlreg_artifact *a, size_t i, const char *path, mlreg_error **err)
{
    const mlreg_descriptor *d = mlreg_artifact_at(a, MLREG_PART_LAYER, i);
    const char *title = mlreg_descriptor_title(d);
    mlreg_layer_options o;
    char inside[2 * PATH_MAX];

    snprintf(inside, sizeof inside, "%s/%s", path, title != NULL ? title : mlreg_descriptor_digest(d));
    begin_layer(c, &o, strstr(mlreg_descriptor_media_type(d), ".tar") != NULL ? NULL : inside);
    return mlreg_builder_add_layer_of(b, &o, a, i, err);
}

#define N_RANKS 5

/* As mlreg_builder_add_tree orders the files of a folder; where the type does not say what a layer is, its size has to. */
static int rank_of(const mlreg_descriptor *d)
{
    static const struct { const char *in_type; int rank; } kinds[] = {
        { ".model.weight.v1.", 0 }, { ".dataset.", 1 }, { ".model.weight.config.", 2 }, { ".model.doc.", 3 }, { ".model.code.", 4 },
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strstr(mlreg_descriptor_media_type(d), kinds[i].in_type) != NULL)
            return kinds[i].rank;
    return mlreg_descriptor_bytes(d) < LARGE_BYTES ? 2 : 0;
}

static int add_artifact(const cli *c, mlreg_builder *b, mlreg_artifact *a, const char *path, mlreg_error **err)
{
    int rc = 0;

    for (int rank = 0; rank < N_RANKS; rank++)
        for (size_t i = 0; i < mlreg_artifact_count(a, MLREG_PART_LAYER) && rc == 0; i++)
            if (rank_of(mlreg_artifact_at(a, MLREG_PART_LAYER, i)) == rank)
                rc = add_layer(c, b, a, i, path, err);
    return rc;
}

static int add_pip(const cli *c, mlreg_builder *b, mlreg_op *op, mlreg_error **err)
{
    mlreg_pip_options o;

    MLREG_INIT(o);
    o.flags = packing(c);
    return mlreg_builder_add_pip(b, &o, c->pip, op, err);
}

static int add_model(const cli *c, mlreg_builder *b, image *im, mlreg_op *op, mlreg_error **err)
{
    mlreg_layer_options o;

    if (c->model == NULL)
        return 0;
    if (im->model.artifact != NULL)
        return add_artifact(c, b, im->model.artifact, im->from_model.path, err);
    begin_layer(c, &o, im->from_model.path);
    o.flags |= MLREG_LAYER_EACH;
    return mlreg_builder_add_tree(b, &o, im->from_model.source, op, err);
}

static int add_files(const cli *c, mlreg_builder *b, mlreg_op *op, mlreg_error **err)
{
    int rc = 0;

    for (size_t i = 0; i < c->n_add && rc == 0; i++) {
        mlreg_layer_options o;
        pair p;

        split(c->add[i], NULL, &p);
        begin_layer(c, &o, p.path);
        rc = is_folder(p.source) ? mlreg_builder_add_tree(b, &o, p.source, op, err) : mlreg_builder_add_file(b, &o, p.source, op, err);
    }
    return rc;
}

static int set_run(const cli *c, mlreg_builder *b, mlreg_error **err)
{
    mlreg_image_options o;

    MLREG_INIT(o);
    o.platform = c->platform;
    o.user = c->run_as;
    o.workdir = c->workdir;
    o.env = c->env;
    o.n_env = c->n_env;
    o.labels = c->labels;
    o.n_labels = c->n_labels;
    o.ports = c->ports;
    o.n_ports = c->n_ports;
    o.entrypoint = c->n_entrypoint > 0 ? c->entrypoint : NULL;
    o.n_entrypoint = c->n_entrypoint;
    o.cmd = c->n_cmd > 0 ? c->cmd : NULL;
    o.n_cmd = c->n_cmd;
    return mlreg_builder_set_image(b, &o, err);
}

static int fill_image(cli *c, mlreg_builder *b, void *user, mlreg_op *op, mlreg_error **err)
{
    image *im = user;
    int rc = set_run(c, b, err);

    if (rc == 0 && im->base.artifact != NULL)
        rc = mlreg_builder_set_base(b, im->base.artifact, err);
    if (rc == 0 && c->pip != NULL)
        rc = add_pip(c, b, op, err);
    if (rc == 0 && (rc = add_model(c, b, im, op, err)) == 0)
        rc = add_files(c, b, op, err);
    return rc;
}

/* ---- image build ---- */

static int check(const cli *c)
{
    pair p;

    if (c->n_tags != 1)
        return fail_usage("name it: mlreg image build … -t NAME:v1", "the image needs one name");
    if (c->gzip && c->zstd)
        return fail_usage("choose one", "layers are packed by gzip or by zstd, not by both");
    if (c->base == NULL && c->pip == NULL && c->model == NULL && c->n_add == 0)
        return fail_usage("give --base, --pip, --model or --add", "the image has nothing in it");
    for (size_t i = 0; i < c->n_add; i++) {
        split(c->add[i], NULL, &p);
        if (p.path == NULL)
            return fail_usage("write --add SRC:/DST, with DST as it is in the image", "\"%s\" does not say where it goes", c->add[i]);
    }
    return EXIT_OK;
}

static int open_parts(cli *c, image *im)
{
    int status = c->base != NULL ? part_open(c, c->base, &im->base) : EXIT_OK;

    if (status != EXIT_OK || c->model == NULL)
        return status;
    split(c->model, MODELS, &im->from_model);
    return is_folder(im->from_model.source) ? EXIT_OK : part_open(c, im->from_model.source, &im->model);
}

int cmd_image_build(cli *c)
{
    image im = { 0 };
    const making m = { MLREG_BUILD_IMAGE, fill_image, &im, c->n_tags > 0 ? c->tags[0] : "" };
    spot to = { 0 };
    int status = check(c);

    if (status == EXIT_OK && (status = open_parts(c, &im)) == EXIT_OK &&
        (status = spot_open(c, c->tags[0], SPOT_WRITE | SPOT_NEEDS_TAG, &to)) == EXIT_OK)
        status = move_made(c, "build", &m, &to, false);
    part_close(&im.base);
    part_close(&im.model);
    spot_close(&to);
    return status;
}

/* ---- image artifact ---- */

/* Layers that say which file they are; those of the base and of code do not. */
static int fill_artifact(cli *c, mlreg_builder *b, void *user, mlreg_op *op, mlreg_error **err)
{
    part *p = user;
    int rc = 0;

    (void)c;
    (void)op;
    for (size_t i = 0; i < mlreg_artifact_count(p->artifact, MLREG_PART_LAYER) && rc == 0; i++)
        if (mlreg_descriptor_annotation(mlreg_artifact_at(p->artifact, MLREG_PART_LAYER, i), "org.cncf.model.filepath") != NULL)
            rc = mlreg_builder_add_layer_of(b, NULL, p->artifact, i, err);
    return rc;
}

int cmd_image_artifact(cli *c)
{
    part from = { 0 };
    const making m = { MLREG_BUILD_ARTIFACT, fill_artifact, &from, c->words[0] };
    spot to = { 0 };
    int status = c->n_tags == 1 ? EXIT_OK : fail_usage("name it: mlreg image artifact IMAGE -t NAME:v1", "the artifact needs one name");

    if (status == EXIT_OK && (status = part_open(c, c->words[0], &from)) == EXIT_OK &&
        (status = spot_open(c, c->tags[0], SPOT_WRITE | SPOT_NEEDS_TAG, &to)) == EXIT_OK)
        status = move_made(c, "build", &m, &to, false);
    part_close(&from);
    spot_close(&to);
    return status;
}

/* ---- image unpack ---- */

int cmd_image_unpack(cli *c)
{
    spot from;
    int status = spot_open(c, c->words[0], SPOT_NEEDS_ONE, &from);

    if (status == EXIT_OK)
        status = move_image(c, "unpack", &from, c->words[1]);
    spot_close(&from);
    return status;
}
