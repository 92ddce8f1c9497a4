/* memory.c - a checkpoint goes from memory into an artifact without touching a file on the way.
 *
 *     ./memory ./models runs/demo:step-1
 *
 * Two "tensors" become two layers, beside a note of the run; the same bytes always give the same digest. */
#include <mlreg.h>
#include <stdio.h>
#include <string.h>

typedef struct tensor { const char *title; const float *values; size_t n; } tensor;

/* May be asked again for bytes that it gave already: an upload can have to start over. */
static int64_t read_at(void *user, uint64_t offset, void *buf, size_t len)
{
    const tensor *t = user;
    uint64_t bytes = t->n * sizeof *t->values;

    if (offset >= bytes)
        return 0;
    if (len > bytes - offset)
        len = (size_t)(bytes - offset);
    memcpy(buf, (const char *)t->values + offset, len);
    return (int64_t)len;
}

static int add(mlreg_builder *b, tensor *t, mlreg_error **err)
{
    mlreg_layer_options layer;
    mlreg_source source;

    MLREG_INIT(layer);
    layer.title = t->title;
    layer.media_type = "application/vnd.cncf.model.weight.v1.raw";
    MLREG_INIT(source);
    source.bytes = t->n * sizeof *t->values;
    source.user = t;
    source.read_at = read_at;
    return mlreg_builder_add_source(b, &layer, &source, NULL, err);
}

int main(int argc, char **argv)
{
    static float weights[1 << 20], bias[1 << 10];
    tensor w = { "layers/0/weight.bin", weights, 1 << 20 }, bi = { "layers/0/bias.bin", bias, 1 << 10 };
    mlreg_session *store = NULL;
    mlreg_session_options create;
    mlreg_builder *build = NULL;
    mlreg_artifact *checkpoint = NULL;
    mlreg_error *err = NULL;
    int rc;

    if (argc != 3) {
        fprintf(stderr, "usage: memory STORE REPO:TAG\n");
        return 2;
    }
    for (size_t i = 0; i < w.n; i++)
        weights[i] = (float)i / 7;
    MLREG_INIT(create);
    create.flags = MLREG_OPEN_CREATE;

    rc = mlreg_session_open(argv[1], &create, &store, &err);
    if (rc == 0)
        rc = mlreg_builder_new(store, MLREG_BUILD_ARTIFACT, NULL, &build, &err);
    if (rc == 0)
        rc = mlreg_builder_set_annotation(build, "example.run", "demo", &err);
    if (rc == 0)
        rc = add(build, &w, &err);
    if (rc == 0)
        rc = add(build, &bi, &err);
    if (rc == 0)
        rc = mlreg_builder_commit(build, argv[2], NULL, NULL, &checkpoint, &err);
    if (rc == 0)
        printf("%s\n", mlreg_descriptor_digest(mlreg_artifact_at(checkpoint, MLREG_PART_SELF, 0)));
    else
        fprintf(stderr, "%s\n", mlreg_error_message(err));

    mlreg_error_free(err);
    mlreg_artifact_free(checkpoint);
    mlreg_builder_free(build);
    mlreg_session_free(store);
    return rc != 0;
}
