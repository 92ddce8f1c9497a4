/* tests/codec/test_archive.c - honest tars of every dialect, plain or compressed, give their members. */
#include "codec/archive.h"

#include <locale.h>
#include <unistd.h>

#include "codec/archive_fixture.h"

#define MIB ((uint64_t)1 << 20)

static void test_archive__gives_members_through_every_filter(void **state)
{
    mlr_buf tar = BED_TAR_INIT;

    (void)state;
    bed_tar_header(&tar, '5', "models/", NULL, 0);
    bed_tar_file(&tar, "models/a.txt", "hello", 5);
    bed_tar_file(&tar, "models/empty", "", 0);
    bed_tar_header(&tar, '2', "models/soft", "../else/where", 0);
    bed_tar_header(&tar, '1', "models/hard", "./models/a.txt", 0);
    bed_tar_file(&tar, "last", "x", 1);
    bed_tar_end(&tar);
    for (int i = 0; i < 3; i++) {
        mlr_buf       packed = BED_TAR_INIT;
        struct opened o;

        compress(&packed, filters[i], &tar);
        assert_int_equal(open_bytes(&o, &packed, NULL, NULL), 0);
        assert_next(&o, MLR_MEMBER_DIR, "models", NULL);
        assert_int_equal(mlr_archive_read(o.archive, &(char){0}, 1, &o.err), 0);
        assert_file(&o, "models/a.txt", "hello");
        assert_int_equal(o.member.mode, 0644);
        assert_int_equal(o.member.mtime_s, 1700000000);
        assert_file(&o, "models/empty", "");
        assert_next(&o, MLR_MEMBER_SYMLINK, "models/soft", "../else/where");
        assert_next(&o, MLR_MEMBER_HARDLINK, "models/hard", "models/a.txt");
        assert_int_equal(o.member.bytes, 0);
        assert_file(&o, "last", "x");
        assert_end(&o);
        done(&o);
        mlr_buf_done(&packed);
    }
    mlr_buf_done(&tar);
}

/* Seven octal digits are 21 bits, of which 12 are a mode's. */
static void test_archive__bits_that_are_no_mode_are_dropped(void **state)
{
    mlr_buf       tar = BED_TAR_INIT;
    struct opened o;

    (void)state;
    bed_tar_header(&tar, '0', "a", NULL, 0);
    memcpy(tar.data + tar.len - BED_TAR_BLOCK + 100, "7777755", 8);
    bed_tar_seal(&tar);
    bed_tar_end(&tar);
    assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
    assert_next(&o, MLR_MEMBER_FILE, "a", NULL);
    assert_int_equal(o.member.mode, 07755);
    done(&o);
    mlr_buf_done(&tar);
}

/* pzstd writes one before each frame, with how long that is; RFC 8878 §3.1.2. */
static void test_archive__skippable_frames_of_zstd_are_skipped(void **state)
{
    static const char skippable[] = "\x50\x2a\x4d\x18\x04\0\0\0size", empty[] = "\x5f\x2a\x4d\x18\0\0\0";
    mlr_buf       tar = BED_TAR_INIT, packed = BED_TAR_INIT;
    struct opened o;

    (void)state;
    bed_tar_file(&tar, "a", "hello", 5);
    bed_tar_file(&tar, "b", "x", 1);
    bed_tar_end(&tar);
    bed_tar_bytes(&packed, skippable, 12);
    bed_tar_bytes(&packed, empty, 8);
    bed_compress(&packed, "zstd", tar.data, 1024);
    bed_tar_bytes(&packed, skippable, 12);
    bed_compress(&packed, "zstd", tar.data + 1024, tar.len - 1024);
    bed_tar_bytes(&packed, skippable, 12);
    assert_int_equal(open_bytes(&o, &packed, NULL, NULL), 0);
    assert_file(&o, "a", "hello");
    assert_file(&o, "b", "x");
    assert_end(&o);
    done(&o);
    mlr_buf_done(&packed);
    mlr_buf_done(&tar);
}

/* Nothing but what is skipped: no tar, and no endless way to find that out. */
static void test_archive__skippable_frames_alone_are_no_archive(void **state)
{
    static const char *const heads[] = { "\x50\x2a\x4d\x18\xff\xff\xff\xff", "\x50\x2a\x4d\x18\0\0\0\0" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        mlr_buf       packed = BED_TAR_INIT;
        struct opened o;
        int           rc;

        for (int n = 0; n < 1000; n++)
            bed_tar_bytes(&packed, heads[i], 8);
        if ((rc = open_bytes(&o, &packed, NULL, NULL)) == 0)
            rc = mlr_archive_next(o.archive, &o.member, &o.err);
        assert_int_equal(rc, MLREG_EPROTO);
        done(&o);
        mlr_buf_done(&packed);
    }
}

static void test_archive__cuts_dot_slash_and_the_last_slash(void **state)
{
    static const struct { const char *written, *name; } names[] = {
        {"./a", "a"}, {"././a/b", "a/b"}, {".//a", "a"}, {"./", "."}, {".", "."}, {"a/", "a"}, {"a//", "a"}, {"/", "/"},
        {"/etc/x", "/etc/x"}, {"../x", "../x"}, {"./../x", "../x"}, {"a/./b", "a/./b"}, {"a//b", "a//b"}, {".a", ".a"},
        {"..", ".."}, {"a\\..\\b", "a\\..\\b"}, {"C:x", "C:x"}, {"./._x", "._x"}, {"a\nb", "a\nb"},
        {"\xff\xfe", "\xff\xfe"},
    };
    mlr_buf       tar = BED_TAR_INIT;
    struct opened o;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        bed_tar_header(&tar, '5', names[i].written, NULL, 0);
    bed_tar_end(&tar);
    assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_next(&o, MLR_MEMBER_DIR, names[i].name, NULL);
    assert_end(&o);
    done(&o);
    mlr_buf_done(&tar);
}

static void test_archive__devices_and_pipes_are_other(void **state)
{
    mlr_buf       tar = BED_TAR_INIT;
    struct opened o;

    (void)state;
    bed_tar_header(&tar, '3', "null", NULL, 0);
    bed_tar_header(&tar, '4', "sda", NULL, 0);
    bed_tar_header(&tar, '6', "pipe", NULL, 0);
    bed_tar_file(&tar, "file", "x", 1);
    bed_tar_end(&tar);
    assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
    assert_next(&o, MLR_MEMBER_OTHER, "null", NULL);
    assert_next(&o, MLR_MEMBER_OTHER, "sda", NULL);
    assert_next(&o, MLR_MEMBER_OTHER, "pipe", NULL);
    assert_file(&o, "file", "x");
    assert_end(&o);
    done(&o);
    mlr_buf_done(&tar);
}

static void test_archive__pax_records_overrule_the_header(void **state)
{
    char          path[3001], *link = path + 1;
    mlr_buf       tar = BED_TAR_INIT;
    struct opened o;

    (void)state;
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    bed_tar_pax(&tar, 'g', "comment", "said of all");
    bed_tar_pax(&tar, 'x', "path", path);
    bed_tar_file(&tar, "short", "1", 1);
    bed_tar_pax(&tar, 'x', "linkpath", link);
    bed_tar_header(&tar, '2', "soft", "short", 0);
    bed_tar_pax(&tar, 'x', "size", "5");           /* as for more than 8 GiB, where the header has no room */
    bed_tar_header(&tar, '0', "sized", NULL, 0);
    bed_tar_body(&tar, "hello", 5);
    bed_tar_pax(&tar, 'x', "mtime", "-5.5");
    bed_tar_file(&tar, "old", "2", 1);
    bed_tar_end(&tar);
    assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
    assert_file(&o, path, "1");
    assert_next(&o, MLR_MEMBER_SYMLINK, "soft", link);
    assert_file(&o, "sized", "hello");
    assert_file(&o, "old", "2");
    assert_int_equal(o.member.mtime_s, -5);
    assert_end(&o);
    done(&o);
    mlr_buf_done(&tar);
}

static void test_archive__gnu_long_names_and_binary_sizes(void **state)
{
    static const char big_five[12] = {(char)0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5};
    char              name[301], link[301];
    mlr_buf           tar = BED_TAR_INIT;
    struct opened     o;

    (void)state;
    memset(name, 'n', 300);
    memset(link, 'l', 300);
    name[300] = link[300] = '\0';
    bed_tar_header(&tar, 'K', "././@LongLink", NULL, sizeof link);
    bed_tar_body(&tar, link, sizeof link);
    bed_tar_header(&tar, 'L', "././@LongLink", NULL, sizeof name);
    bed_tar_body(&tar, name, sizeof name);
    bed_tar_header(&tar, '2', "cut", "cut", 0);
    bed_tar_header(&tar, '0', "five", NULL, 0);
    memcpy(tar.data + tar.len - BED_TAR_BLOCK + 124, big_five, sizeof big_five);
    bed_tar_seal(&tar);
    bed_tar_body(&tar, "hello", 5);
    bed_tar_end(&tar);
    assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
    assert_next(&o, MLR_MEMBER_SYMLINK, name, link);
    assert_file(&o, "five", "hello");
    assert_end(&o);
    done(&o);
    mlr_buf_done(&tar);
}

static void test_archive__puts_the_ustar_prefix_before_the_name(void **state)
{
    mlr_buf       tar = BED_TAR_INIT;
    struct opened o;

    (void)state;
    bed_tar_header(&tar, '0', "name", NULL, 0);
    memcpy(tar.data + 345, "some/prefix", 11);
    bed_tar_seal(&tar);
    bed_tar_end(&tar);
    assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
    assert_file(&o, "some/prefix/name", "");
    assert_end(&o);
    done(&o);
    mlr_buf_done(&tar);
}

/* Bytes in, the same bytes out: composed, decomposed, beyond the locale, and no UTF-8 at all. */
static void test_archive__names_are_the_same_in_every_locale(void **state)
{
    static const char *const names[] = {"\xc3\xa9-composed", "e\xcc\x81-decomposed", "\xe6\x97\xa5\xe6\x9c\xac",
                                        "\xf0\x9f\xa6\x99", "latin-\xe9", "\xc0\xaf"};
    static const char *const locales[] = {"C", "C.UTF-8"};
    const size_t             n = sizeof names / sizeof names[0];
    mlr_buf                  tar = BED_TAR_INIT;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        bed_tar_file(&tar, names[i], "ustar", 5);
        bed_tar_pax(&tar, 'x', "path", names[i]);
        bed_tar_file(&tar, "replaced", "pax", 3);
        bed_tar_pax(&tar, 'x', "linkpath", names[i]);
        bed_tar_header(&tar, '2', "link", "replaced", 0);
    }
    bed_tar_end(&tar);
    for (int l = 0; l < 2; l++) {
        locale_t      before = uselocale((locale_t)0);
        struct opened o;

        assert_non_null(setlocale(LC_ALL, locales[l]));
        assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
        for (size_t i = 0; i < n; i++) {
            assert_file(&o, names[i], "ustar");
            assert_file(&o, names[i], "pax");
            assert_next(&o, MLR_MEMBER_SYMLINK, "link", names[i]);
        }
        assert_end(&o);
        assert_string_equal(setlocale(LC_ALL, NULL), locales[l]);
        assert_ptr_equal(uselocale((locale_t)0), before);
        done(&o);
    }
    setlocale(LC_ALL, "C");
    mlr_buf_done(&tar);
}

/* A reader that gives little at a time and looks which locale it runs in. */
struct looking_reader {
    mlr_reader     base;
    const mlr_buf *bytes;
    locale_t       expects;
    int            calls;
};

static int64_t looking_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    struct looking_reader *me = (struct looking_reader *)r;
    size_t                 n = len < 700 ? len : 700;

    (void)op;
    (void)err;
    assert_ptr_equal(uselocale((locale_t)0), me->expects);
    me->calls++;
    n = n < r->bytes - offset ? n : (size_t)(r->bytes - offset);
    memcpy(buf, me->bytes->data + offset, n);
    return (int64_t)n;
}

static void looking_free(mlr_reader *r)
{
    (void)r;
}

static void test_archive__the_reader_runs_in_the_hosts_locale(void **state)
{
    static const mlr_reader_ops ops = {.read_at = looking_read_at, .free = looking_free};
    locale_t                    own = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0), before = uselocale(own);
    mlr_buf                     tar = BED_TAR_INIT;
    struct looking_reader       looking;
    struct opened               o = {.reader = NULL};

    (void)state;
    assert_ptr_not_equal(own, (locale_t)0);
    many_members(&tar, 1000);
    looking = (struct looking_reader){{.ops = &ops, .bytes = tar.len, .fd = -1, .name = "layer"}, &tar, own, 0};
    assert_int_equal(mlr_archive_open(&looking.base, NULL, NULL, &o.archive, &o.err), 0);
    assert_int_equal(walk(&o, false), 0);
    assert_true(looking.calls > 1000);
    assert_ptr_equal(uselocale(before), own);
    freelocale(own);
    done(&o);
    mlr_buf_done(&tar);
}

static void test_archive__reads_in_pieces_and_passes_over_the_rest(void **state)
{
    static char   content[200000], got[200000];
    mlr_buf       tar = BED_TAR_INIT;
    struct opened o;

    (void)state;
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (char)(i * 7 + i / 251);
    bed_tar_file(&tar, "a", content, sizeof content);
    bed_tar_file(&tar, "b", content, sizeof content);
    bed_tar_file(&tar, "c", "end", 3);
    bed_tar_end(&tar);
    assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
    assert_next(&o, MLR_MEMBER_FILE, "a", NULL);
    for (size_t at = 0, piece = 1; at < sizeof content; at += piece, piece = piece * 2 + 1) {
        piece = piece < sizeof content - at ? piece : sizeof content - at;
        assert_int_equal(mlr_archive_read(o.archive, got + at, piece, &o.err), piece);
    }
    assert_memory_equal(got, content, sizeof content);
    assert_int_equal(mlr_archive_read(o.archive, got, 0, &o.err), 0);
    assert_next(&o, MLR_MEMBER_FILE, "b", NULL);
    assert_int_equal(mlr_archive_read(o.archive, got, 1000, &o.err), 1000);
    assert_memory_equal(got, content, 1000);
    assert_file(&o, "c", "end");
    assert_end(&o);
    done(&o);
    mlr_buf_done(&tar);
}

/* ---- passing over what nobody reads ---- */

struct counting { const mlr_buf *bytes; uint64_t read; };

static int64_t read_counting(void *user, uint64_t offset, void *buf, size_t len)
{
    struct counting *c = user;
    size_t           n = offset < c->bytes->len ? c->bytes->len - (size_t)offset : 0;

    n = n < len ? n : len;
    memcpy(buf, c->bytes->data + offset, n);
    c->read += n;
    return (int64_t)n;
}

static int open_skimming(struct opened *o, struct counting *c, const mlr_archive_limits *limits)
{
    const mlreg_source s = {.size = sizeof s, .bytes = c->bytes->len, .user = c, .read_at = read_counting};

    memset(o, 0, sizeof *o);
    assert_int_equal(mlr_reader_from_source(&s, NULL, &o->reader, NULL), 0);
    assert_int_equal(mlr_archive_open(o->reader, limits, NULL, &o->archive, &o->err), 0);
    mlr_archive_skim(o->archive);
    return walk(o, false);
}

static void put_two_large_files(mlr_buf *tar)
{
    char *content = calloc(1, 8 * MIB);

    assert_non_null(content);
    bed_tar_file(tar, "a", content, 8 * MIB);
    bed_tar_file(tar, "b", content, 8 * MIB - 100);
    bed_tar_file(tar, "c", "end", 3);
    bed_tar_end(tar);
    free(content);
}

static void test_archive__skims_what_is_not_packed_without_reading_it(void **state)
{
    mlr_buf         tar = BED_TAR_INIT, packed = BED_TAR_INIT;
    struct counting plain = {&tar, 0}, gzip = {&packed, 0};
    struct opened   o;
    char            got[3];

    (void)state;
    put_two_large_files(&tar);
    bed_compress(&packed, "gzip", tar.data, tar.len);
    assert_int_equal(open_skimming(&o, &plain, NULL), 0);
    assert_in_range(plain.read, 1, 2 * MIB);
    done(&o);
    assert_int_equal(open_skimming(&o, &gzip, NULL), 0);
    done(&o);
    plain.read = 0;
    assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
    mlr_archive_skim(o.archive);
    assert_next(&o, MLR_MEMBER_FILE, "a", NULL);
    assert_int_equal(mlr_archive_read(o.archive, got, sizeof got, &o.err), 3);
    assert_next(&o, MLR_MEMBER_FILE, "b", NULL);
    assert_file(&o, "c", "end");
    assert_end(&o);
    done(&o);
    mlr_buf_done(&tar);
    mlr_buf_done(&packed);
}

static void test_archive__skimming_finds_limits_and_a_missing_end_too(void **state)
{
    const mlr_archive_limits few = {.bytes = 9 * MIB};
    mlr_buf                  tar = BED_TAR_INIT;
    struct counting          c = {&tar, 0};
    struct opened            o;

    (void)state;
    put_two_large_files(&tar);
    assert_int_equal(open_skimming(&o, &c, &few), MLREG_ELIMIT);
    done(&o);
    tar.len = 12 * MIB;
    assert_int_equal(open_skimming(&o, &c, NULL), MLREG_EPROTO);
    done(&o);
    mlr_buf_done(&tar);
}

static void test_archive__holes_read_as_zeros(void **state)
{
    static const char map[] = "3\n1000\n512\n4000\n512\n9000\n0\n";
    static char       want[9000];
    mlr_buf           tar = BED_TAR_INIT;
    struct opened     o;

    (void)state;
    memset(want + 1000, 'a', 512);
    memset(want + 4000, 'b', 512);
    sparse_member(&tar, "9000", map, sizeof map - 1);
    bed_tar_file(&tar, "behind", "x", 1);
    bed_tar_end(&tar);
    for (size_t piece = 1; piece <= 9001; piece = piece * 5 + 1) {
        static char got[9001 + 8000];
        size_t      at = 0;
        int64_t     n;

        memset(got, 0xee, sizeof got);
        assert_int_equal(open_bytes(&o, &tar, NULL, NULL), 0);
        assert_next(&o, MLR_MEMBER_FILE, "holey", NULL);
        assert_int_equal(o.member.bytes, 9000);
        while ((n = mlr_archive_read(o.archive, got + at, piece, &o.err)) > 0)
            at += (size_t)n;
        assert_int_equal(at, 9000);
        assert_memory_equal(got, want, 9000);
        assert_file(&o, "behind", "x");
        assert_end(&o);
        done(&o);
    }
    assert_int_equal(open_and_walk(&o, &tar, NULL, false), 0);
    done(&o);
    mlr_buf_done(&tar);
}

static void test_archive__an_archive_without_members_is_one(void **state)
{
    mlr_buf       tar = BED_TAR_INIT;
    struct opened o;

    (void)state;
    bed_tar_end(&tar);
    assert_int_equal(open_and_walk(&o, &tar, NULL, true), 0);
    done(&o);
    mlr_buf_done(&tar);
}

/* What GNU tar itself writes, holes included, in a directory of its own that goes afterwards. */
static void test_archive__reads_what_gnu_tar_writes(void **state)
{
    static const char *const options[] = {
        "--format=v7", "--format=ustar", "--format=gnu", "--format=posix", "-S --format=gnu", "-z -S --format=posix",
        "-S --format=posix --sparse-version=0.0", "-S --format=posix --sparse-version=0.1",
        "-S --format=posix --sparse-version=1.0",
    };
    static char want[300000], got[300001];
    char        dir[] = "/tmp/mlr-archive-XXXXXX", command[512];

    (void)state;
    if (system("tar --version >/dev/null 2>&1") != 0)
        skip();
    assert_non_null(mkdtemp(dir));
    memset(want + 123456, 'x', 1000);
    snprintf(command, sizeof command,
             "cd %s && mkdir in && ln -s holes in/soft && truncate -s 123456 in/holes &&"
             " head -c 1000 /dev/zero | tr '\\0' x >>in/holes && truncate -s 300000 in/holes && ln in/holes in/zhard",
             dir);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct opened o;

        memset(&o, 0, sizeof o);
        snprintf(command, sizeof command, "cd %s/in && tar --sort=name %s -cf ../t.tar .", dir, options[i]);
        assert_int_equal(system(command), 0);
        snprintf(command, sizeof command, "%s/t.tar", dir);
        assert_int_equal(mlr_reader_open_file(command, &o.reader, NULL), 0);
        assert_int_equal(mlr_archive_open(o.reader, NULL, NULL, &o.archive, &o.err), 0);
        assert_next(&o, MLR_MEMBER_DIR, ".", NULL);
        assert_next(&o, MLR_MEMBER_FILE, "holes", NULL);
        assert_int_equal(o.member.bytes, sizeof want);
        assert_int_equal(mlr_archive_read(o.archive, got, sizeof got, &o.err), sizeof want);
        assert_memory_equal(got, want, sizeof want);
        assert_next(&o, MLR_MEMBER_SYMLINK, "soft", "holes");
        assert_next(&o, MLR_MEMBER_HARDLINK, "zhard", "holes");
        assert_end(&o);
        done(&o);
    }
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archive__gives_members_through_every_filter),
        cmocka_unit_test(test_archive__bits_that_are_no_mode_are_dropped),
        cmocka_unit_test(test_archive__skippable_frames_of_zstd_are_skipped),
        cmocka_unit_test(test_archive__skippable_frames_alone_are_no_archive),
        cmocka_unit_test(test_archive__cuts_dot_slash_and_the_last_slash),
        cmocka_unit_test(test_archive__devices_and_pipes_are_other),
        cmocka_unit_test(test_archive__pax_records_overrule_the_header),
        cmocka_unit_test(test_archive__gnu_long_names_and_binary_sizes),
        cmocka_unit_test(test_archive__puts_the_ustar_prefix_before_the_name),
        cmocka_unit_test(test_archive__names_are_the_same_in_every_locale),
        cmocka_unit_test(test_archive__the_reader_runs_in_the_hosts_locale),
        cmocka_unit_test(test_archive__reads_in_pieces_and_passes_over_the_rest),
        cmocka_unit_test(test_archive__skims_what_is_not_packed_without_reading_it),
        cmocka_unit_test(test_archive__skimming_finds_limits_and_a_missing_end_too),
        cmocka_unit_test(test_archive__holes_read_as_zeros),
        cmocka_unit_test(test_archive__an_archive_without_members_is_one),
        cmocka_unit_test(test_archive__reads_what_gnu_tar_writes),
    };

    return cmocka_run_group_tests_name("codec/archive", tests, NULL, NULL);
}
