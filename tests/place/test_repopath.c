/* place/test_repopath.c - repository names as paths: no two names share one, every path of ours leads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "place/ref.h"
#include "place/repopath.h"

static const struct {
    const char *repo, *path;
} pairs[] = {
    { "llama", "llama" },
    { "ghcr.io/team/llama", "ghcr.io/team/llama" },
    { "127.0.0.1:5000/team/x", "127.0.0.1+5000/team/x" },
    { "[::1]:5000/x", "[++1]+5000/x" },
    { "team/blobs", "team/blobs+" },
    { "blobs", "blobs+" },
    { "blobs/blobs", "blobs+/blobs+" },
    { "x/oci-layout", "x/oci-layout+" },
    { "index.json", "index.json+" },
    { "index.json/x", "index.json+/x" },
    { "blobsx/xblobs", "blobsx/xblobs" },
};

static void test_repopath__leads_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char *path = NULL, *repo = NULL;
        assert_int_equal(mlr_repopath_make(pairs[i].repo, &path, NULL), 0);
        assert_string_equal(path, pairs[i].path);
        assert_int_equal(mlr_repopath_read(path, &repo, NULL), 1);
        assert_string_equal(repo, pairs[i].repo);
        mlr_free(path);
        mlr_free(repo);
    }
}

static void test_repopath__of_others_is_no_repository(void **state)
{
    static const char *const paths[] = { "", "Upper", "a b", "a/blobs", "a/blobs++", "a+", "+", "a//b", "../a",
                                         "a/../b", ".mlreg",
                                         "a+b", "x/a+5000/y", "index.json", "127.0.0.1:5000/x", "a\n" };
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char *repo = NULL;
        assert_int_equal(mlr_repopath_read(paths[i], &repo, NULL), 0);
        assert_null(repo);
    }
}

/* A name of random parts, many of them awkward. */
static void random_name(char out[MLR_NAME_MAX + 1])
{
    static const char *const hosts[] = { "", "", "localhost:1/", "127.0.0.1:5000/", "ghcr.io/", "[::1]:80/", "[::1]/",
                                         "a:1/" };
    static const char *const parts[] = { "a", "b", "blobs", "oci-layout", "index.json", "a-b", "a.b", "a__b", "0",
                                         "sha256" };
    int n = 1 + rand() % 4;
    strcpy(out, hosts[rand() % 8]);
    for (int i = 0; i < n; i++) {
        strcat(out, i > 0 ? "/" : "");
        strcat(out, parts[rand() % 10]);
    }
}

static void test_repopath__is_one_to_one(void **state)
{
    enum { N = 400 };
    static char names[N][MLR_NAME_MAX + 1];
    char       *paths[N];
    (void)state;
    srand(20261123);
    for (int i = 0; i < N; i++) {
        char *repo = NULL;
        random_name(names[i]);
        assert_int_equal(mlr_ref_check_repo(names[i], true, NULL), 0);
        assert_int_equal(mlr_repopath_make(names[i], &paths[i], NULL), 0);
        assert_int_equal(mlr_repopath_read(paths[i], &repo, NULL), 1);
        assert_string_equal(repo, names[i]);
        mlr_free(repo);
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < i; j++)
            assert_int_equal(strcmp(paths[i], paths[j]) == 0, strcmp(names[i], names[j]) == 0);
    for (int i = 0; i < N; i++)
        mlr_free(paths[i]);
}

static void test_repopath__of_the_longest_name_fits(void **state)
{
    char  name[MLR_NAME_MAX + 1] = "", *path = NULL, *repo = NULL;
    (void)state;
    while (strlen(name) + strlen("blobs/") <= MLR_NAME_MAX)
        strcat(name, "blobs/");
    name[strlen(name) - 1] = 0;
    assert_int_equal(mlr_repopath_make(name, &path, NULL), 0);
    assert_int_equal(mlr_repopath_read(path, &repo, NULL), 1);
    assert_string_equal(repo, name);
    mlr_free(path);
    mlr_free(repo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repopath__leads_there_and_back),
        cmocka_unit_test(test_repopath__of_others_is_no_repository),
        cmocka_unit_test(test_repopath__is_one_to_one),
        cmocka_unit_test(test_repopath__of_the_longest_name_fits),
    };
    return cmocka_run_group_tests_name("place/repopath", tests, NULL, NULL);
}
