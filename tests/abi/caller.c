/* caller.c - a program of another age than the library: every struct that it allocates, in every size, through the public
 * functions alone. Usage: caller older, built with a baseline's header; caller newer, built with today's and SINCE_BASELINE,
 * which adds the structs that came later; caller since: as older, of those alone. */
#include <mlreg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_REFUSED_BYTES = 4097 };

static int n_wrong;

static void expect(int rc, int wanted, const char *what, unsigned size, mlreg_error **err)
{
    if (rc != wanted) {
        n_wrong++;
        printf("%s of %u bytes: %d in place of %d: %s\n", what, size, rc, wanted, mlreg_error_message(*err));
    }
    mlreg_error_free(*err);
    *err = NULL;
}

static mlreg_session *place, *store;
static mlreg_artifact *model;
#ifdef SINCE_BASELINE
static mlreg_artifact *image;
static mlreg_op *done;
#endif

/* Each makes one call with the struct at `o` and undoes what it did. */
static int use_runtime(void *o, mlreg_error **err)
{
    mlreg_runtime *r = NULL;
    int rc = mlreg_runtime_new(o, &r, err);
    mlreg_runtime_free(r);
    return rc;
}
static int use_session(void *o, mlreg_error **err)
{
    mlreg_session *s = NULL;
    int rc = mlreg_session_open("memory:", o, &s, err);
    mlreg_session_free(s);
    return rc;
}
static int use_resolve(void *o, mlreg_error **err)
{
    mlreg_artifact *a = NULL;
    int rc = mlreg_session_resolve(place, "a/b:v1", o, NULL, &a, err);
    mlreg_artifact_free(a);
    return rc;
}
static int use_copy(void *o, mlreg_error **err)
{
    return mlreg_copy(place, "a/b:v1", place, "a/b:v2", o, NULL, NULL, err);
}
static int use_stream(void *o, mlreg_error **err)
{
    mlreg_stream *s = NULL;
    int rc = mlreg_stream_open(model, 0, o, NULL, &s, err);
    mlreg_stream_free(s);
    return rc;
}
static int use_checkout(void *o, mlreg_error **err)
{
    return mlreg_checkout(model, "out", o, NULL, err);
}
static int use_layer(void *o, mlreg_error **err)
{
    mlreg_builder *b = NULL;
    int rc = mlreg_builder_new(place, MLREG_BUILD_ARTIFACT, NULL, &b, err);
    if (rc == 0)
        rc = mlreg_builder_add_file(b, o, "caller.txt", NULL, err);
    mlreg_builder_free(b);
    return rc;
}
static int use_commit(void *o, mlreg_error **err)
{
    mlreg_builder *b = NULL;
    int rc = mlreg_builder_new(place, MLREG_BUILD_ARTIFACT, NULL, &b, err);
    if (rc == 0 && (rc = mlreg_builder_add_file(b, NULL, "caller.txt", NULL, err)) == 0)
        rc = mlreg_builder_commit(b, "a/c:v1", o, NULL, NULL, err);
    mlreg_builder_free(b);
    return rc;
}
static int use_stats(void *o, mlreg_error **err)
{
    mlreg_op *op = NULL;
    int rc = mlreg_op_new(&op, err);
    if (rc == 0)
        rc = mlreg_op_stats(op, o, err);
    mlreg_op_free(op);
    return rc;
}
static int64_t read_nothing(void *user, uint64_t offset, void *buf, size_t len)
{
    (void)user, (void)offset, (void)buf, (void)len;
    return 0;
}
static int use_source(void *o, mlreg_error **err)
{
    mlreg_builder *b = NULL;
    mlreg_source *s = o;
    mlreg_layer_options named;
    int rc;
    MLREG_INIT(named);
    named.title = "empty.txt";
    s->read_at = read_nothing;
    if ((rc = mlreg_builder_new(place, MLREG_BUILD_ARTIFACT, NULL, &b, err)) == 0)
        rc = mlreg_builder_add_source(b, &named, s, NULL, err);
    mlreg_builder_free(b);
    return rc;
}

static int use_gc(void *o, mlreg_error **err)
{
    mlreg_gc_report report;
    MLREG_INIT(report);
    return mlreg_session_gc(store, o, NULL, &report, err);
}
static int use_gc_report(void *o, mlreg_error **err)
{
    return mlreg_session_gc(store, NULL, NULL, o, err);
}

#ifdef SINCE_BASELINE
static int use_blob_stats(void *o, mlreg_error **err)
{
    return mlreg_op_blob_at(done, 0, o, err);
}
static int use_unpack(void *o, mlreg_error **err)
{
    int rc = mlreg_image_unpack(image, "root", o, NULL, err);
    return rc == 0 && (remove("root/caller.txt") != 0 || remove("root") != 0) ? MLREG_EIO : rc;
}
static int use_image(void *o, mlreg_error **err)
{
    mlreg_builder *b = NULL;
    int rc = mlreg_builder_new(place, MLREG_BUILD_IMAGE, NULL, &b, err);
    if (rc == 0)
        rc = mlreg_builder_set_image(b, o, err);
    mlreg_builder_free(b);
    return rc;
}
static int use_pip(void *o, mlreg_error **err)
{
    mlreg_builder *b = NULL;
    int rc = mlreg_builder_new(place, MLREG_BUILD_IMAGE, NULL, &b, err);
    if (rc == 0)
        rc = mlreg_builder_add_pip(b, o, "caller.txt", NULL, err);
    mlreg_builder_free(b);
    return rc;
}
/* A variant needs its name, which no program leaves at zero. */
static int use_variant(void *o, mlreg_error **err)
{
    mlreg_builder *b = NULL;
    mlreg_variant_options *v = o;
    int rc = mlreg_builder_new(place, MLREG_BUILD_INDEX, NULL, &b, err);
    v->name = "cpu";
    if (rc == 0)
        rc = mlreg_builder_add_child(b, model, v, err);
    mlreg_builder_free(b);
    return rc;
}
#endif

static const struct { const char *name; unsigned size; int (*use)(void *, mlreg_error **); } structs[] = {
    { "mlreg_runtime_options", sizeof(mlreg_runtime_options), use_runtime },
    { "mlreg_session_options", sizeof(mlreg_session_options), use_session },
    { "mlreg_resolve_options", sizeof(mlreg_resolve_options), use_resolve },
    { "mlreg_copy_options", sizeof(mlreg_copy_options), use_copy },
    { "mlreg_stream_options", sizeof(mlreg_stream_options), use_stream },
    { "mlreg_checkout_options", sizeof(mlreg_checkout_options), use_checkout },
    { "mlreg_layer_options", sizeof(mlreg_layer_options), use_layer },
    { "mlreg_commit_options", sizeof(mlreg_commit_options), use_commit },
    { "mlreg_stats", sizeof(mlreg_stats), use_stats },
    { "mlreg_gc_options", sizeof(mlreg_gc_options), use_gc },
    { "mlreg_gc_report", sizeof(mlreg_gc_report), use_gc_report },
    { "mlreg_source", sizeof(mlreg_source), use_source },
#ifdef SINCE_BASELINE
    { "mlreg_blob_stats", sizeof(mlreg_blob_stats), use_blob_stats },
    { "mlreg_image_unpack_options", sizeof(mlreg_image_unpack_options), use_unpack },
    { "mlreg_image_options", sizeof(mlreg_image_options), use_image },
    { "mlreg_pip_options", sizeof(mlreg_pip_options), use_pip },
    { "mlreg_variant_options", sizeof(mlreg_variant_options), use_variant },
#endif
};
enum { N_STRUCTS = sizeof structs / sizeof *structs, N_OF_BASELINE = 12 };

/* As if the header had grown: `size` bytes, the last of them `last`. */
static int with_size(unsigned i, unsigned size, unsigned char last, mlreg_error **err)
{
    unsigned char *o = calloc(1, 2 * FIRST_REFUSED_BYTES);
    uint32_t told = size;
    int rc;

    memcpy(o, &told, sizeof told);
    if (last != 0)
        o[size - 1] = last;
    rc = structs[i].use(o, err);
    free(o);
    return rc;
}

/* An older program: whatever its own size was, what it leaves at zero is taken, and less than its size is none. */
static void older(unsigned i, mlreg_error **err)
{
    for (unsigned size = 0; size < structs[i].size; size++)
        expect(with_size(i, size, 0, err), MLREG_EINVAL, structs[i].name, size, err);
    for (unsigned size = structs[i].size; size < FIRST_REFUSED_BYTES; size++)
        expect(with_size(i, size, 0, err), 0, structs[i].name, size, err);
    expect(with_size(i, FIRST_REFUSED_BYTES, 0, err), MLREG_EINVAL, structs[i].name, FIRST_REFUSED_BYTES, err);
}

/* A newer program, with fields that this library does not know. */
static void newer(unsigned i, mlreg_error **err)
{
    for (unsigned size = structs[i].size + 1; size < FIRST_REFUSED_BYTES; size++)
        expect(with_size(i, size, 1, err), MLREG_ESTRUCT, structs[i].name, size, err);
}

static int make_model(mlreg_error **err)
{
    mlreg_builder *b = NULL;
    int rc = mlreg_builder_new(place, MLREG_BUILD_ARTIFACT, NULL, &b, err);

    if (rc == 0)
        rc = mlreg_builder_add_file(b, NULL, "caller.txt", NULL, err);
    if (rc == 0)
        rc = mlreg_builder_commit(b, "a/b:v1", NULL, NULL, &model, err);
    mlreg_builder_free(b);
    return rc;
}

#ifdef SINCE_BASELINE
/* An image, and an op that has seen it. */
static int make_image(mlreg_error **err)
{
    mlreg_builder *b = NULL;
    int rc = mlreg_op_new(&done, err);

    if (rc == 0)
        rc = mlreg_builder_new(place, MLREG_BUILD_IMAGE, NULL, &b, err);
    if (rc == 0)
        rc = mlreg_builder_add_file(b, NULL, "caller.txt", NULL, err);
    if (rc == 0)
        rc = mlreg_builder_commit(b, "a/i:v1", NULL, done, &image, err);
    mlreg_builder_free(b);
    return rc;
}

static void free_image(void)
{
    mlreg_artifact_free(image);
    mlreg_op_free(done);
}
#else
static int make_image(mlreg_error **err)
{
    (void)err;
    return 0;
}

static void free_image(void)
{
}
#endif

int main(int argc, char **argv)
{
    const char *age = argc > 1 ? argv[1] : "older";
    mlreg_error *err = NULL;
    FILE *f = fopen("caller.txt", "w");
    mlreg_session_options create;
    unsigned first = strcmp(age, "since") == 0 ? N_OF_BASELINE : 0;

    MLREG_INIT(create);
    create.flags = MLREG_OPEN_CREATE;
    if (f == NULL || fputs("text\n", f) < 0 || fclose(f) != 0 || mlreg_session_open("memory:", NULL, &place, &err) < 0 ||
        mlreg_session_open("store", &create, &store, &err) < 0 || make_model(&err) < 0 || make_image(&err) < 0) {
        printf("%s\n", err != NULL ? mlreg_error_message(err) : "no file");
        return 1;
    }
    for (unsigned i = first; i < N_STRUCTS; i++)
        (strcmp(age, "newer") == 0 ? newer : older)(i, &err);
    printf("%u structs, %d wrong\n", N_STRUCTS - first, n_wrong);
    free_image();
    mlreg_artifact_free(model);
    mlreg_session_free(store);
    mlreg_session_free(place);
    return n_wrong != 0;
}
