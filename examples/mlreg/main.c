/* main.c - mlreg, the command-line program: which command, and what it says of itself. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define CHOOSE " --variant --platform --accelerator --precision --host"
#define COPIES CHOOSE " --foreign --one-variant --all-variants --all"
#define NEEDS  "NAME=REF[,NEED=VALUE]"
#define MOVED_JSON "{reference, digest, was, bytes, bytes_moved, bytes_reused, elapsed_ms}"

const command commands[] = {
    { "build", "DIR -t NAME:TAG", "make an artifact from a folder, in the store", 1, 1, "-t --annotation", MOVED_JSON, cmd_build },
    { "push", "[DIR] [NAME] REF", "send a folder, kept in the store as NAME if that is given, or an artifact of the store to a registry", 1, 3, "--move --referrers --annotation --stats" COPIES, MOVED_JSON, cmd_push },
    { "pull", "REF [-o DIR]", "bring an artifact into the store, or its files into a folder", 1, 1, "-o --include --exclude --referrers --stats" COPIES, MOVED_JSON, cmd_pull },
    { "copy", "FROM TO", "copy between any two places", 2, 2, "--move --referrers --annotation --include --exclude --stats" COPIES, MOVED_JSON, cmd_copy },
    { "image build", "-t REF", "make an image that runs: a base, an environment, a model, code", 0, 0,
        "-t --base --pip --model --add --env --workdir --user --entrypoint --cmd --label --port --platform --gzip --zstd --annotation --move",
        MOVED_JSON, cmd_image_build },
    { "image artifact", "IMAGE -t REF", "make an artifact of the model in an image; no bytes are copied", 1, 1, "-t --annotation --move", MOVED_JSON,
        cmd_image_artifact },
    { "image unpack", "IMAGE DIR", "put an image's file system into a new folder", 2, 2, "--path --layer --foreign" CHOOSE,
        MOVED_JSON, cmd_image_unpack },
    { "image find", "IMAGE", "list the models in an image, or what lies at a path, with their layers", 1, 1, "--path" CHOOSE,
        "[{path, bytes, format, layer, layer_bytes}]", cmd_image_find },
    { "ls", "[REPO]", "list what the store holds", 0, 1, "", "[{name, digest, bytes}]", cmd_ls },
    { "tags", "REPO", "list the tags of a repository", 1, 1, "", "[tag]", cmd_tags },
    { "tag", "SRC DST", "give an artifact another name in the same place", 2, 2, "--move", "{reference, digest, was}", cmd_tag },
    { "inspect", "REF", "show what an artifact is made of", 1, 1, "",
        "{reference, digest, mediaType, artifactType, bytes, annotations, config, layers, manifests, variants, referrers}", cmd_inspect },
    { "cat", "REF FILE", "write a file of an artifact to stdout", 2, 2, "--range --unverified" CHOOSE, NULL, cmd_cat },
    { "index", "create|add|remove …", "one name for several variants: create -t REF NAME=REF…, add REF NAME=REF…, remove REF NAME…", 2, MAX_WORDS, "-t --move " NEEDS,
        "{reference, digest, variants}", cmd_index },
    { "variants", "REF", "what an index offers, and what of it fits this machine", 1, 1, "--explain" CHOOSE,
        "[{name, digest, mediaType, platform, accelerator, compute, driver, runtime, cpu, precision, format, memory, fit, absent}]", cmd_variants },
    { "host", "", "what this machine is, for choosing variants", 0, 0, "", "{os, architecture, variant, cpu_features, memory_bytes, accelerators, notes}", cmd_host },
    { "rm", "REF", "remove a tag, or with a digest a manifest and its tags", 1, 1, "", "{removed}", cmd_rm },
    { "gc", "[oci:DIR]", "remove blobs of the store, or of a layout, that nothing names", 0, 1, "--dry-run --grace", "{blobs, bytes, dry_run}", cmd_gc },
    { "fsck", "[oci:DIR]", "check the store, or a layout, byte by byte", 0, 1, "--repair", "{sound, problems}", cmd_fsck },
    { "login", "HOST", "check and keep credentials for a registry", 1, 1, "-u --password-stdin", "{registry, where}", cmd_login },
    { "logout", "HOST", "forget the credentials for a registry", 1, 1, "", "{registry, where}", cmd_logout },
    { "serve", "[--listen H:P]", "be a registry: let others pull from the store and push to it", 0, 0,
        "--listen --htpasswd --tokens --cert --key --read-only --upstream --max-bytes --min-free --max-connections --max-rate",
        "a line of log: {time, level, message} or {time, level, method, path, status, bytes_in, bytes_out, ms, user}", cmd_serve },
    { "version", "", "print the version of the library", 0, 0, "", "{version}", cmd_version },
    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL },
};

static const char *const option_help[][2] = {
    { "-t NAME:TAG", "the name to give; build takes several" },
    { "-o DIR", "write the files into this folder, straight from the registry" },
    { "--base IMAGE", "the image to build on; none: from scratch" },
    { "--pip FILE", "requirements, installed by this machine's pip as one layer" },
    { "--model REF|DIR[:/PATH]", "the files of an artifact or a folder, each a layer (at /models)" },
    { "--add SRC:/DST", "a file or a folder as one layer, in this order; may be repeated" },
    { "--env NAME=VALUE", "a variable of the environment; may be repeated" },
    { "--workdir DIR", "where it runs" },
    { "--user USER", "who it runs as" },
    { "--entrypoint WORD", "the program that runs; once for each of its words" },
    { "--cmd WORD", "its arguments; once for each of them" },
    { "--label KEY=VALUE", "a label of the image; may be repeated" },
    { "--port PORT", "where it listens: 8080, 53/udp; may be repeated" },
    { "--gzip", "pack the layers that are made, by gzip" },
    { "--zstd", "pack them by zstd" },
    { "--path /DIR", "only what lies there in the image; for find it may be a pattern" },
    { "--layer DIGEST", "only this layer, as `image find` names it; its first digits will do; may be repeated" },
    { "--move", "let a registry's tag that names something else be moved" },
    { "--referrers", "take along what refers to the artifact: signatures, scans" },
    { "--foreign", "also fetch layers that are not to be distributed, from their own addresses" },
    { "--annotation KEY=VALUE", "annotate the manifest that is built; may be repeated" },
    { "--include GLOB", "only files that match (none is an error); may be repeated" },
    { "--exclude GLOB", "not the files that match; may be repeated" },
    { "--variant NAME", "of an index, the variant of this name" },
    { "--platform OS/ARCH", "as for a machine of this platform (or os/arch/variant); of an image in the making: what it is for" },
    { "--accelerator KIND", "none: as without a device; cuda or rocm: only what is for that" },
    { "--precision LIST", "preferred ones, the best first: \"bf16 int8\"" },
    { "--host FILE", "as for the machine that this JSON describes" },
    { "--one-variant", "of an index, only what fits this machine best" },
    { "--all-variants", "every variant of an index: fail where some of them are absent" },
    { "--all", "the same" },
    { NEEDS, "a variant and its needs: platform, accelerator, compute, driver, runtime, cpu, memory, precision, format" },
    { "--explain", "say of each variant why it fits, or does not" },
    { "--range A-B", "only bytes A to B, both included, as in HTTP" },
    { "--listen HOST:PORT", "where to listen (127.0.0.1:5000)" },
    { "--htpasswd FILE", "names and passwords, as `htpasswd -B` writes them" },
    { "--tokens FILE", "lines of TOKEN read|write [PREFIX of repositories]" },
    { "--cert FILE", "TLS: certificate (PEM), …" },
    { "--key FILE", "… and its key" },
    { "--read-only", "nobody may push or delete" },
    { "--upstream URL", "bring what is missing from this registry, and keep it" },
    { "--max-bytes N", "bytes of one request, at most" },
    { "--min-free N", "bytes to leave free on the disk; what would take them is refused" },
    { "--max-connections N", "connections open at once, at most (512)" },
    { "--max-rate N", "requests of one address in a second, at most" },
    { "--unverified", "from a registry: fetch just the range, unchecked" },
    { "--stats", "say what it took: requests, tries, bytes, times of layers and of kinds of work; with --json as \"stats\"" },
    { "--dry-run", "only say what would be removed" },
    { "--grace SECONDS", "spare blobs younger than this (3600)" },
    { "--repair", "mend what can be mended" },
    { "-u NAME", "the user; asked for otherwise" },
    { "--password-stdin", "read the password from stdin" },
};

static const char *const common_help =
    "  --store DIR              the store; else $MLREG_STORE, else mlreg/store in the XDG data directory\n"
    "  --plain-http             talk http to a registry that is not on this machine\n"
    "  --ca-file FILE           trust these certificate authorities (PEM) instead of the system's\n"
    "  --json                   print data as JSON\n"
    "  -q, -v                   say less, say more (on stderr)\n"
    "  -h, --help               this\n";

void usage(FILE *to)
{
    fprintf(to, "mlreg moves machine-learning models between folders, a local store and OCI registries.\n\n");
    for (const command *cmd = commands; cmd->name != NULL; cmd++)
        fprintf(to, "  mlreg %s %-*s%s\n", cmd->name, (int)(27 - strlen(cmd->name)), cmd->arguments, cmd->what);
    fprintf(to, "\nHow places are written:\n"
                "  host/repo:tag            a registry's; the first part has a dot or a colon, or is localhost\n"
                "  NAME:TAG                 the store's; store:host/repo:tag is what a pull from there left in it\n"
                "  oci:DIR:TAG              an OCI image layout's\n"
                "  dir:DIR                  a folder, for copy\n"
                "  …@sha256:…               a digest, wherever a tag may stand\n"
                "\nOptions of every command; `mlreg COMMAND --help` shows its own:\n%s", common_help);
}

void usage_of(FILE *to, const command *cmd)
{
    fprintf(to, "usage: mlreg %s%s%s [OPTION…]\n\n%s\n\n", cmd->name, cmd->arguments[0] != '\0' ? " " : "", cmd->arguments, cmd->what);
    for (size_t i = 0; i < sizeof option_help / sizeof *option_help; i++)
        if (args_listed(cmd->options, option_help[i][0]))
            fprintf(to, "  %-25s%s\n", option_help[i][0], option_help[i][1]);
    fprintf(to, "%s", common_help);
    if (cmd->json != NULL)
        fprintf(to, "\nwith --json: %s\n", cmd->json);
}

int cmd_version(cli *c)
{
    uint32_t v = mlreg_version();

    printf(c->json ? "{\"version\":\"%u.%u.%u\"}\n" : "mlreg %u.%u.%u\n", v >> 16, v >> 8 & 0xff, v & 0xff);
    return EXIT_OK;
}

/* One that was closed by whoever started us would be given to the next file or connection, and what we say would go there. What stands in
 * for it fails as it would have. */
static bool keep_streams_apart(void)
{
    bool ok = true;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && ok; fd++)
        ok = fcntl(fd, F_GETFD) >= 0 || open("/", O_PATH) == fd;
    return ok;
}

int main(int argc, char **argv)
{
    static cli c;
    const command *cmd = NULL;
    int status;

    if (!keep_streams_apart())
        return EXIT_FAILED;
    status = argc > 1 ? args_parse(&c, argv, &cmd) : EXIT_USAGE;

    if (argc <= 1)
        usage(stderr);
    else if (status == EXIT_OK && c.help && cmd != NULL)
        usage_of(stdout, cmd);
    else if (status == EXIT_OK && c.help)
        usage(stdout);
    else if (status == EXIT_OK)
        status = cmd->run(&c);
    op_done();
    errno = 0;
    return status == EXIT_OK && (fflush(stdout) != 0 || ferror(stdout)) ? fail_stdout(errno) : status;
}
