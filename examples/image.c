/* image.c - a model and the code that serves it become an image that runs, with no daemon and no root.
 *
 *     cc image.c $(pkg-config --cflags --libs mlreg) -o image
 *     ./image http://localhost:5000 python:3.12-slim ./tiny ./app service:v1     # on a base of that place
 *     ./image ./models scratch ./tiny ./app service:v1                           # on nothing
 *
 * The model's files lie in /models, each a layer of its own, so that the next image moves only those that changed. */
#include <mlreg.h>
#include <stdio.h>

/* Of a base for several machines, what fits this one. */
static int set_base(mlreg_session *place, mlreg_builder *image, const char *ref, mlreg_error **err)
{
    mlreg_resolve_options o;
    mlreg_artifact *base = NULL;
    int rc;

    if (strcmp(ref, "scratch") == 0)
        return 0;
    MLREG_INIT(o);
    o.flags = MLREG_RESOLVE_VARIANT;
    if ((rc = mlreg_session_resolve(place, ref, &o, NULL, &base, err)) == 0)
        rc = mlreg_builder_set_base(image, base, err);
    mlreg_artifact_free(base);
    return rc;
}

static int set_run(mlreg_builder *image, mlreg_error **err)
{
    static const char *const command[] = { "python3", "serve.py" }, *const env[] = { "MODEL=/models" };
    mlreg_image_options run;

    MLREG_INIT(run);
    run.workdir = "/app";
    run.entrypoint = command;
    run.n_entrypoint = sizeof command / sizeof *command;
    run.env = env;
    run.n_env = 1;
    return mlreg_builder_set_image(image, &run, err);
}

static int add(mlreg_builder *image, const char *folder, const char *target, uint32_t flags, mlreg_error **err)
{
    mlreg_layer_options layer;

    MLREG_INIT(layer);
    layer.flags = flags;
    layer.title = target;
    return mlreg_builder_add_tree(image, &layer, folder, NULL, err);
}

int main(int argc, char **argv)
{
    mlreg_session *place = NULL;
    mlreg_session_options create;
    mlreg_builder *image = NULL;
    mlreg_artifact *made = NULL;
    mlreg_error *err = NULL;
    int rc;

    if (argc != 6) {
        fprintf(stderr, "usage: image STORE|REGISTRY BASE|scratch MODEL-FOLDER CODE-FOLDER REPO:TAG\n");
        return 2;
    }
    MLREG_INIT(create);
    create.flags = MLREG_OPEN_CREATE;
    rc = mlreg_session_open(argv[1], &create, &place, &err);
    if (rc == 0)
        rc = mlreg_builder_new(place, MLREG_BUILD_IMAGE, NULL, &image, &err);
    if (rc == 0)
        rc = set_base(place, image, argv[2], &err);
    if (rc == 0)
        rc = set_run(image, &err);
    if (rc == 0)
        rc = add(image, argv[3], "models", MLREG_LAYER_EACH, &err);
    if (rc == 0)
        rc = add(image, argv[4], "app", 0, &err);      /* last: it changes most often */
    if (rc == 0)
        rc = mlreg_builder_commit(image, argv[5], NULL, NULL, &made, &err);
    if (rc == 0)
        printf("%s\n", mlreg_descriptor_digest(mlreg_artifact_at(made, MLREG_PART_SELF, 0)));
    else
        fprintf(stderr, "%s\n", mlreg_error_message(err));

    mlreg_error_free(err);
    mlreg_artifact_free(made);
    mlreg_builder_free(image);
    mlreg_session_free(place);
    return rc != 0;
}
