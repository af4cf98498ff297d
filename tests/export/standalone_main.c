/* Reads images from standard input. Writes the label, scores and probabilities of each to standard
 * output, and the microseconds of one prediction to standard error. An argument: how often each image
 * is predicted. */
#include "lenet5.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int count, char **arguments)
{
    static uint8_t image[LENET5_PIXELS];
    static float scores[LENET5_CLASSES], p[LENET5_CLASSES];
    static lenet5_work work;
    const int rounds = count > 1 ? atoi(arguments[1]) : 1;
    clock_t clocks = 0;
    long images = 0;
    for (; fread(image, 1, sizeof image, stdin) == sizeof image; images++) {
        int32_t label = -1;
        const clock_t before = clock();
        for (int k = 0; k < rounds; k++) {
            label = lenet5_predict(image, scores, &work);
        }
        clocks += clock() - before;
        lenet5_probabilities(scores, p);
        fwrite(&label, sizeof label, 1, stdout);
        fwrite(scores, sizeof scores, 1, stdout);
        fwrite(p, sizeof p, 1, stdout);
    }
    fprintf(stderr, "%g\n", 1e6 * (double)clocks / CLOCKS_PER_SEC / (double)images / rounds);
    return 0;
}
