/* push.c - a training program publishes a folder of files: built and sent in one go, no copy on disk.
 *
 *     ./push ./checkpoint https://ghcr.io team/llama:step-1000
 *
 * Credentials are docker's, or those of the callback below when MLREG_USER and MLREG_PASSWORD are set. */
#include <mlreg.h>
#include <stdio.h>
#include <stdlib.h>

static int credentials(mlreg_auth *a, const char *host, const char *scope, void *user)
{
    (void)host;
    (void)scope;
    (void)user;
    return mlreg_auth_set_basic(a, getenv("MLREG_USER"), getenv("MLREG_PASSWORD"));
}

int main(int argc, char **argv)
{
    mlreg_session *hub = NULL;
    mlreg_session_options options;
    mlreg_builder *build = NULL;
    mlreg_artifact *model = NULL;
    mlreg_error *err = NULL;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: push FOLDER REGISTRY REPO:TAG\n");
        return 2;
    }
    MLREG_INIT(options);
    if (getenv("MLREG_USER") != NULL && getenv("MLREG_PASSWORD") != NULL)
        options.auth = credentials;

    rc = mlreg_session_open(argv[2], &options, &hub, &err);
    if (rc == 0)
        rc = mlreg_builder_new(hub, MLREG_BUILD_ARTIFACT, NULL, &build, &err);
    if (rc == 0)
        rc = mlreg_builder_set_annotation(build, "org.opencontainers.image.source", argv[1], &err);
    if (rc == 0)
        rc = mlreg_builder_add_tree(build, NULL, argv[1], NULL, &err);
    if (rc == 0)
        rc = mlreg_builder_commit(build, argv[3], NULL, NULL, &model, &err);
    if (rc == 0)
        printf("%s\n", mlreg_descriptor_digest(mlreg_artifact_at(model, MLREG_PART_SELF, 0)));
    else if (rc == MLREG_EEXISTS)
        fprintf(stderr, "%s is taken: a published tag is not moved\n", argv[3]);
    else
        fprintf(stderr, "%s\n", mlreg_error_message(err));

    mlreg_error_free(err);
    mlreg_artifact_free(model);
    mlreg_builder_free(build);
    mlreg_session_free(hub);
    return rc != 0;
}
