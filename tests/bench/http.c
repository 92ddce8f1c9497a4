/* tests/bench/http.c - how fast one connection's bytes arrive in a caller's buffer. Usage: bench_http URL [TIMES [KIB]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/http.h"

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int64_t read_all(mlr_http *http, const char *url, void *buf, size_t len)
{
    mlr_request   r = {.method = "GET", .url = url};
    mlr_exchange *x = NULL;
    mlreg_error  *err = NULL;
    int64_t       n, total = 0;

    if ((n = mlr_http_begin(http, &r, NULL, &x, &err)) == 0)
        while ((n = mlr_exchange_read(x, buf, len, NULL, &err)) > 0)
            total += n;
    mlr_exchange_free(x);
    if (n < 0)
        fprintf(stderr, "%s\n", err->message);
    return n < 0 ? n : total;
}

int main(int argc, char **argv)
{
    int          times = argc > 2 ? atoi(argv[2]) : 5;
    size_t       len = (size_t)(argc > 3 ? atoi(argv[3]) : 1024) << 10;
    void        *buf = malloc(len);
    mlr_runtime *rt = NULL;
    mlr_http    *http = NULL;

    if (argc < 2 || buf == NULL || mlr_runtime_new(NULL, &rt, NULL) < 0 || mlr_http_new(rt, NULL, &http, NULL) < 0)
        return 1;
    memset(buf, 1, len);                   /* first touch is not what is measured */
    for (int i = 0; i < times; i++) {
        uint64_t began = mlr_clock_ms();
        double   cpu = cpu_s();
        int64_t  n = read_all(http, argv[1], buf, len);

        if (n < 0)
            return 1;
        printf("%.2f GB/s, %.2f CPU s per GB\n", (double)n / 1e6 / (double)(mlr_clock_ms() - began), (cpu_s() - cpu) / ((double)n / 1e9));
    }
    mlr_http_free(http);
    mlr_runtime_unref(rt);
    free(buf);
    return 0;
}
