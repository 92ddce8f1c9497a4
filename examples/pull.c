/* pull.c - a serving program fetches its model at startup: from a registry into a store, then files for the framework.
 *
 *     cc pull.c $(pkg-config --cflags --libs mlreg) -o pull
 *     ./pull https://ghcr.io team/llama:v1 ./models ./llama
 *
 * The second start moves nothing: what the store has stays, and files that are right are left alone. */
#include <mlreg.h>
#include <stdio.h>

static int show(mlreg_op *op, void *user)
{
    mlreg_stats s;

    (void)user;
    MLREG_INIT(s);
    if (mlreg_op_stats(op, &s, NULL) == 0)
        fprintf(stderr, "%u of %u files, %llu of %llu bytes\n", s.blobs_done, s.blobs_total,
            (unsigned long long)s.bytes_done, (unsigned long long)s.bytes_total);
    return 0; /* anything else would cancel */
}

int main(int argc, char **argv)
{
    mlreg_session *hub = NULL, *store = NULL;
    mlreg_session_options create;
    mlreg_copy_options newest;
    mlreg_artifact *model = NULL;
    mlreg_op *op = NULL;
    mlreg_error *err = NULL;
    int rc;

    if (argc != 5) {
        fprintf(stderr, "usage: pull REGISTRY REPO:TAG STORE FOLDER\n");
        return 2;
    }
    MLREG_INIT(create);
    create.flags = MLREG_OPEN_CREATE;
    MLREG_INIT(newest);
    newest.flags = MLREG_COPY_MOVE_TAG; /* the store follows the registry */

    if ((rc = mlreg_op_new(&op, &err)) == 0)
        mlreg_op_on_progress(op, show, NULL, 1000);
    if (rc == 0)
        rc = mlreg_session_open(argv[1], NULL, &hub, &err);
    if (rc == 0)
        rc = mlreg_session_open(argv[3], &create, &store, &err);
    if (rc == 0)
        rc = mlreg_copy(hub, argv[2], store, NULL, &newest, op, &model, &err);
    if (rc == 0)
        rc = mlreg_checkout(model, argv[4], NULL, op, &err);
    if (rc == 0)
        printf("%s is in %s\n", mlreg_descriptor_digest(mlreg_artifact_at(model, MLREG_PART_SELF, 0)), argv[4]);
    else
        fprintf(stderr, "%s\n%s\n", mlreg_error_message(err), mlreg_error_hint(err) != NULL ? mlreg_error_hint(err) : "");

    mlreg_error_free(err);
    mlreg_artifact_free(model);
    mlreg_session_free(store);
    mlreg_session_free(hub);
    mlreg_op_free(op);
    return rc != 0;
}
