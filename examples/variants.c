/* variants.c - one name for several machines: an index is made of models that are there, and the one for a machine is taken.
 *
 *     cc variants.c $(pkg-config --cflags --libs mlreg) -o variants
 *     ./variants ./models llama:v1 cpu=llama:cpu cuda=llama:cuda          # makes llama:v1
 *     ./variants ./models llama:v1                                        # what this machine gets, and why
 *     ./variants ./models llama:v1 < gpu-node.json                        # the same for another machine
 */
#include <mlreg.h>
#include <stdio.h>
#include <unistd.h>

#define FIT "io.github.libmlreg.variant.fit"

/* "cuda=llama:cuda": the name says what the variant is for; needs such as .compute = "8.0" would be set here. */
static int add(mlreg_session *s, mlreg_builder *b, char *word, mlreg_error **err)
{
    mlreg_variant_options needs;
    mlreg_artifact *model = NULL;
    char *ref = strchr(word, '=');
    int rc;

    if (ref == NULL)
        return MLREG_EINVAL;
    *ref++ = '\0';
    MLREG_INIT(needs);
    needs.name = word;
    if ((rc = mlreg_session_resolve(s, ref, NULL, NULL, &model, err)) == 0)
        rc = mlreg_builder_add_child(b, model, &needs, err);
    mlreg_artifact_free(model);
    return rc;
}

static int make(mlreg_session *s, const char *ref, char **words, mlreg_error **err)
{
    mlreg_commit_options o;
    mlreg_builder *b = NULL;
    int rc = mlreg_builder_new(s, MLREG_BUILD_INDEX, NULL, &b, err);

    MLREG_INIT(o);
    o.flags = MLREG_COPY_MOVE_TAG;
    while (rc == 0 && *words != NULL)
        rc = add(s, b, *words++, err);
    if (rc == 0)
        rc = mlreg_builder_commit(b, ref, &o, NULL, NULL, err);
    mlreg_builder_free(b);
    return rc;
}

/* The best fit stands first; each says why it fits, or does not. */
static int choose(mlreg_session *s, const char *ref, const char *machine, mlreg_error **err)
{
    mlreg_resolve_options o;
    mlreg_artifact *model = NULL;
    mlreg_list *all = NULL;
    int rc;

    MLREG_INIT(o);
    o.flags = MLREG_RESOLVE_VARIANT;
    o.host = machine;
    rc = mlreg_session_variants(s, ref, &o, NULL, &all, err);
    for (size_t i = 0; i < mlreg_list_count(all); i++)
        printf("%s: %s\n", mlreg_list_name(all, i), mlreg_descriptor_annotation(mlreg_list_descriptor(all, i), FIT));
    if (rc == 0 && (rc = mlreg_session_resolve(s, ref, &o, NULL, &model, err)) == 0)
        printf("%s\n", mlreg_descriptor_digest(mlreg_artifact_at(model, MLREG_PART_SELF, 0)));
    mlreg_artifact_free(model);
    mlreg_list_free(all);
    return rc;
}

int main(int argc, char **argv)
{
    static char machine[1 << 16];
    mlreg_session *s = NULL;
    mlreg_error *err = NULL;
    int rc;

    if (argc < 3) {
        fprintf(stderr, "usage: variants STORE|REGISTRY REPO:TAG [NAME=REPO:TAG…]\n");
        return 2;
    }
    if (!isatty(0))
        machine[fread(machine, 1, sizeof machine - 1, stdin)] = '\0';
    if ((rc = mlreg_session_open(argv[1], NULL, &s, &err)) == 0)
        rc = argc > 3 ? make(s, argv[2], argv + 3, &err) : choose(s, argv[2], machine[0] != '\0' ? machine : NULL, &err);
    if (rc != 0)
        fprintf(stderr, "%s\n", mlreg_error_message(err));
    mlreg_error_free(err);
    mlreg_session_free(s);
    return rc != 0;
}
