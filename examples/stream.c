/* stream.c - a loader reads one file of a model where it lies: mapped from a store, or by ranges from anywhere.
 *
 *     ./stream ./models team/llama:v1 model.safetensors
 *
 * Prints the length of the safetensors header, which is the file's first eight bytes. */
#include <mlreg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t little_endian(const unsigned char b[8])
{
    uint64_t n = 0;

    for (int i = 7; i >= 0; i--)
        n = n << 8 | b[i];
    return n;
}

static size_t find(const mlreg_artifact *a, const char *file)
{
    size_t i = 0, n = mlreg_artifact_count(a, MLREG_PART_LAYER);

    while (i < n) {
        const char *title = mlreg_descriptor_title(mlreg_artifact_at(a, MLREG_PART_LAYER, i));

        if (title != NULL && strcmp(title, file) == 0)
            break;
        i++;
    }
    return i; /* past the last: the library says so */
}

/* In a store the layer is a file that was verified when it came in: nothing is copied. */
static int from_map(const mlreg_artifact *a, size_t layer, mlreg_error **err)
{
    uint64_t bytes = mlreg_descriptor_bytes(mlreg_artifact_at(a, MLREG_PART_LAYER, layer));
    int fd, rc = mlreg_artifact_open_fd(a, layer, &fd, err);
    unsigned char *map;

    if (rc < 0)
        return rc;
    map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return MLREG_EIO;
    printf("mapped: header of %llu bytes\n", (unsigned long long)little_endian(map));
    munmap(map, bytes);
    return 0;
}

static int from_stream(mlreg_artifact *a, size_t layer, mlreg_error **err)
{
    mlreg_stream *s = NULL;
    unsigned char first[8];
    int64_t n = mlreg_stream_open(a, layer, NULL, NULL, &s, err);

    if (n == 0)
        n = mlreg_stream_read_at(s, 0, first, sizeof first, err);
    if (n == sizeof first)
        printf("streamed: header of %llu bytes\n", (unsigned long long)little_endian(first));
    mlreg_stream_free(s);
    return n < 0 ? (int)n : 0;
}

int main(int argc, char **argv)
{
    mlreg_session *place = NULL;
    mlreg_artifact *model = NULL;
    mlreg_error *err = NULL;
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: stream PLACE REPO:TAG FILE\n");
        return 2;
    }
    rc = mlreg_session_open(argv[1], NULL, &place, &err);
    if (rc == 0)
        rc = mlreg_session_resolve(place, argv[2], NULL, NULL, &model, &err);
    if (rc == 0)
        rc = from_stream(model, find(model, argv[3]), &err);
    if (rc == 0 && (rc = from_map(model, find(model, argv[3]), &err)) == MLREG_ENOTSUP) {
        printf("not mapped: %s\n", mlreg_error_hint(err)); /* a registry's layer is no file here */
        rc = 0;
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", mlreg_error_message(err));
    mlreg_error_free(err);
    mlreg_artifact_free(model);
    mlreg_session_free(place);
    return rc != 0;
}
