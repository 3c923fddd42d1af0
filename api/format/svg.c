#include "api/format/svg.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* The plot area within the picture, and the data range that fills it. */
struct frame {
    double left, top, width, height;
    double x_min, x_max, y_min, y_max;
};

static double x_of(const struct frame *frame, double x) {
    return frame->left + frame->width * (x - frame->x_min) / (frame->x_max - frame->x_min);
}

static double y_of(const struct frame *frame, double y) {
    return frame->top + frame->height * (frame->y_max - y) / (frame->y_max - frame->y_min);
}

/* The distance between ticks: 1, 2 or 5 times a power of ten, about `count` of them in `range`. */
static double tick_step(double range, double count) {
    double power = pow(10, floor(log10(range / count)));
    double ratio = range / count / power;
    return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

static void escape(struct buffer *out, const char *text) {
    for (; *text; text++) {
        if (*text == '<')
            buffer_text(out, "&lt;");
        else if (*text == '&')
            buffer_text(out, "&amp;");
        else
            buffer_append(out, text, 1);
    }
}

static void open_picture(struct buffer *out, double width, double height, const char *title) {
    buffer_format(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" "
                  "height=\"%g\" font-family=\"system-ui, sans-serif\" font-size=\"12\" "
                  "fill=\"#444\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                  width, height, width, height);
    if (title) {
        buffer_format(out, "<title>");
        escape(out, title);
        buffer_format(out, "</title>\n<text x=\"%g\" y=\"20\" text-anchor=\"middle\">", width / 2);
        escape(out, title);
        buffer_text(out, "</text>\n");
    }
}

static void axes(struct buffer *out, const struct frame *frame) {
    double bottom = frame->top + frame->height, right = frame->left + frame->width;
    double step = tick_step(frame->x_max - frame->x_min, frame->width / 90);
    for (double i = ceil(frame->x_min / step); i * step <= frame->x_max; i++) {
        double x = x_of(frame, i * step);
        buffer_format(out,
                      "<path d=\"M%.1f %.1fV%.1f\" stroke=\"#e5e5e5\"/>"
                      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n",
                      x, frame->top, bottom, x, bottom + 16, i == 0 ? 0 : i * step);
    }
    step = tick_step(frame->y_max - frame->y_min, frame->height / 60);
    for (double i = ceil(frame->y_min / step); i * step <= frame->y_max; i++) {
        double y = y_of(frame, i * step);
        buffer_format(out,
                      "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#e5e5e5\"/>"
                      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                      frame->left, y, right, frame->left - 6, y + 4, i == 0 ? 0 : i * step);
    }
    buffer_format(out,
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
                  "stroke=\"#999\"/>\n",
                  frame->left, frame->top, frame->width, frame->height);
}

/* Widens a range that is empty, or adds a margin to one that is not. */
static void pad(double *min, double *max) {
    if (!(*min <= *max))
        *min = 0, *max = 1;
    double margin = *max > *min ? 0.05 * (*max - *min) : fmax(1e-3, fabs(*max) * 0.05);
    *min -= margin;
    *max += margin;
}

void svg_points(struct buffer *out, const float *points, size_t n, const char *title) {
    struct frame frame = {50, 36, 400, 400, INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i++) {
        frame.x_min = fmin(frame.x_min, (double)points[2 * i]);
        frame.x_max = fmax(frame.x_max, (double)points[2 * i]);
        frame.y_min = fmin(frame.y_min, (double)points[2 * i + 1]);
        frame.y_max = fmax(frame.y_max, (double)points[2 * i + 1]);
    }
    pad(&frame.x_min, &frame.x_max);
    pad(&frame.y_min, &frame.y_max);
    double range = fmax(frame.x_max - frame.x_min, frame.y_max - frame.y_min);
    double x = (frame.x_min + frame.x_max) / 2, y = (frame.y_min + frame.y_max) / 2;
    frame.x_min = x - range / 2, frame.x_max = x + range / 2;
    frame.y_min = y - range / 2, frame.y_max = y + range / 2;

    open_picture(out, 480, 470, title);
    axes(out, &frame);
    buffer_text(out, "<g fill=\"#1f5fbf\" fill-opacity=\"0.55\">\n");
    for (size_t i = 0; i < n; i++)
        buffer_format(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.8\"/>\n",
                      x_of(&frame, (double)points[2 * i]), y_of(&frame, (double)points[2 * i + 1]));
    buffer_text(out, "</g>\n</svg>\n");
}

static void curve(struct buffer *out, const struct frame *frame, const double *x, const double *y,
                  size_t count, const char *colour) {
    bool is_drawing = false;
    buffer_format(out,
                  "<path fill=\"none\" stroke=\"%s\" stroke-width=\"1.6\" "
                  "stroke-linejoin=\"round\" d=\"",
                  colour);
    for (size_t i = 0; i < count; i++) {
        if (isfinite(y[i]))
            buffer_format(out, "%c%.1f %.2f", is_drawing ? 'L' : 'M', x_of(frame, x[i]),
                          y_of(frame, y[i]));
        is_drawing = isfinite(y[i]);
    }
    buffer_text(out, "\"/>\n");
}

void svg_loss(struct buffer *out, const double *epochs, const double *train, const double *val,
              size_t count, const char *title) {
    struct frame frame = {60, 36, 560, 280, INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t i = 0; i < count; i++) {
        frame.x_min = fmin(frame.x_min, epochs[i]);
        frame.x_max = fmax(frame.x_max, epochs[i]);
        for (int which = 0; which < 2; which++) {
            double loss = which == 0 ? train[i] : val[i];
            if (isfinite(loss)) {
                frame.y_min = fmin(frame.y_min, loss);
                frame.y_max = fmax(frame.y_max, loss);
            }
        }
    }
    if (!(frame.x_min < frame.x_max))
        pad(&frame.x_min, &frame.x_max);
    pad(&frame.y_min, &frame.y_max);

    open_picture(out, 640, 360, title);
    axes(out, &frame);
    curve(out, &frame, epochs, train, count, "#1f5fbf");
    curve(out, &frame, epochs, val, count, "#d2691e");
    buffer_text(out, "<text x=\"610\" y=\"56\" text-anchor=\"end\" fill=\"#1f5fbf\">training "
                     "loss</text>\n<text x=\"610\" y=\"74\" text-anchor=\"end\" "
                     "fill=\"#d2691e\">validation loss</text>\n"
                     "<text x=\"340\" y=\"352\" text-anchor=\"middle\">epoch</text>\n</svg>\n");
}
