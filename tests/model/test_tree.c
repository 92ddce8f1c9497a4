/* tests/model/test_tree.c - the files below a folder, as an artifact would name them. */
#include "model/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "bed/dir.h"

static int new_dir(void **state)
{
    *state = bed_dir_new();
    return 0;
}

static int remove_dir(void **state)
{
    bed_dir_remove(*state);
    return 0;
}

static void test_tree__lists_files_by_path_and_leaves_hidden_ones_out(void **state)
{
    mlr_tree t = { 0 };

    mkdir(bed_at(*state, "b"), 0755);
    mkdir(bed_at(*state, ".git"), 0755);
    bed_write(bed_at(*state, "b/z"), "1");
    bed_write(bed_at(*state, "b.txt"), "2");
    bed_write(bed_at(*state, "a"), "3");
    bed_write(bed_at(*state, ".hidden"), "4");
    bed_write(bed_at(*state, ".git/x"), "5");
    assert_int_equal(mlr_tree_read(*state, NULL, NULL, &t, NULL), 0);
    assert_int_equal(t.n, 3);
    assert_string_equal(t.items[0].title, "a");
    assert_string_equal(t.items[1].title, "b.txt");
    assert_string_equal(t.items[2].title, "b/z");
    bed_assert_file(t.items[2].path, "1");
    mlr_tree_done(&t);
}

static void test_tree__puts_a_prefix_before_every_title(void **state)
{
    mlr_tree t = { 0 };

    bed_write(bed_at(*state, "a"), "1");
    assert_int_equal(mlr_tree_read(*state, "models/x", NULL, &t, NULL), 0);
    assert_string_equal(t.items[0].title, "models/x/a");
    mlr_tree_done(&t);
}

static void test_tree__takes_a_link_to_a_file_for_the_file(void **state)
{
    mlr_tree t = { 0 };

    mkdir(bed_at(*state, "in"), 0755);
    bed_write(bed_at(*state, "blob"), "weights");
    assert_int_equal(symlink("../blob", bed_at(*state, "in/model.bin")), 0);
    assert_int_equal(mlr_tree_read(bed_at(*state, "in"), NULL, NULL, &t, NULL), 0);
    assert_int_equal(t.n, 1);
    bed_assert_file(t.items[0].path, "weights");
    mlr_tree_done(&t);
}

static void assert_refused(void **state, int code, const char *names)
{
    mlreg_error *err = NULL;
    mlr_tree t = { 0 };

    assert_int_equal(mlr_tree_read(bed_at(*state, "in"), NULL, NULL, &t, &err), code);
    assert_non_null(strstr(err->message, names));
    mlr_error_done(err);
}

static void test_tree__refuses_what_is_no_file(void **state)
{
    mkdir(bed_at(*state, "in"), 0755);
    bed_write(bed_at(*state, "in/a"), "1");
    assert_int_equal(mkfifo(bed_at(*state, "in/pipe"), 0600), 0);
    assert_refused(state, MLREG_EINVAL, "in/pipe");
    unlink(bed_at(*state, "in/pipe"));
    assert_int_equal(symlink("nowhere", bed_at(*state, "in/broken")), 0);
    assert_refused(state, MLREG_EINVAL, "in/broken");
    unlink(bed_at(*state, "in/broken"));
    assert_int_equal(symlink("/tmp", bed_at(*state, "in/folder")), 0);
    assert_refused(state, MLREG_EINVAL, "in/folder");
}

static void test_tree__refuses_a_folder_without_files(void **state)
{
    mkdir(bed_at(*state, "in"), 0755);
    mkdir(bed_at(*state, "in/sub"), 0755);
    assert_refused(state, MLREG_EINVAL, "empty");
}

static void test_tree__refuses_a_folder_that_is_not_there(void **state)
{
    assert_refused(state, MLREG_ENOTFOUND, "in");
}

static void test_tree__refuses_a_name_that_could_not_be_checked_out(void **state)
{
    mkdir(bed_at(*state, "in"), 0755);
    bed_write(bed_at(*state, "in/a\\b"), "1");
    assert_refused(state, MLREG_EINVAL, "a\\b");
}

static void test_tree__refuses_folders_nested_too_deep(void **state)
{
    char path[4096] = "in";

    for (int i = 0; i <= MLR_TREE_MAX_DEPTH + 1; i++) {
        mkdir(bed_at(*state, path), 0755);
        strcat(path, "/d");
    }
    assert_refused(state, MLREG_ELIMIT, "deep");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, new_dir, remove_dir)
/* By content where that says something, by name where it does not; within a kind by title. */
static void test_tree__puts_what_weighs_much_and_changes_seldom_first(void **state)
{
    static const char *const want[] = { "a/z.safetensors", "weights.gguf", "data/train.jsonl", "config.json", "tokenizer.json", "README.md", "a/run.py", "serve.py" };
    mlr_tree t = { 0 };

    mkdir(bed_at(*state, "a"), 0755);
    mkdir(bed_at(*state, "data"), 0755);
    bed_write(bed_at(*state, "README.md"), "# of it");
    bed_write(bed_at(*state, "a/run.py"), "print(1)");
    bed_write(bed_at(*state, "a/z.safetensors"), "anything");
    bed_write(bed_at(*state, "config.json"), "{}");
    bed_write(bed_at(*state, "data/train.jsonl"), "{}\n");
    bed_write(bed_at(*state, "serve.py"), "print(2)");
    bed_write(bed_at(*state, "tokenizer.json"), "{}");
    bed_write(bed_at(*state, "weights.gguf"), "GGUF");
    assert_int_equal(mlr_tree_read(*state, NULL, NULL, &t, NULL), 0);
    assert_int_equal(mlr_tree_by_kind(&t, NULL, NULL), 0);
    assert_int_equal(t.n, sizeof want / sizeof *want);
    for (size_t i = 0; i < t.n; i++)
        assert_string_equal(t.items[i].title, want[i]);
    mlr_tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tree__lists_files_by_path_and_leaves_hidden_ones_out),
        TEST(test_tree__puts_a_prefix_before_every_title),
        TEST(test_tree__takes_a_link_to_a_file_for_the_file),
        TEST(test_tree__refuses_what_is_no_file),
        TEST(test_tree__refuses_a_folder_without_files),
        TEST(test_tree__refuses_a_folder_that_is_not_there),
        TEST(test_tree__refuses_a_name_that_could_not_be_checked_out),
        TEST(test_tree__refuses_folders_nested_too_deep),
        TEST(test_tree__puts_what_weighs_much_and_changes_seldom_first),
    };
    return cmocka_run_group_tests_name("model/tree", tests, NULL, NULL);
}
