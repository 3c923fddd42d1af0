/*
 * digit_strokes.c - how people write the digits 0 to 9.
 */
#include "engine/data/digits.h"

#define K(x0, y0, x1, y1)                                                                          \
    {                                                                                              \
        {x0, y0}, {                                                                                \
            x1, y1                                                                                 \
        }                                                                                          \
    }
#define CORNER(x0, y0, x1, y1) K(x0, y0, x1, y1), K(x0, y0, x1, y1)

/* 0: an oval, begun at the top. */
static const struct digit_knot oval[] = {
    K(52, 4, 60, 6),     K(34, 2, 16, 0),     K(20, 30, -2, 24), K(18, 76, 0, 84),
    K(36, 102, 18, 104), K(58, 100, 74, 104), K(72, 74, 94, 78), K(70, 24, 92, 20),
    K(54, -2, 66, -6),   K(44, 8, 34, 10),
};
/* .. begun at the right, with a tail. */
static const struct digit_knot oval_tail[] = {
    K(74, 2, 66, -8),    K(56, 14, 52, 8),  K(36, 4, 14, 2),   K(18, 34, 0, 30), K(16, 80, 4, 88),
    K(40, 104, 26, 104), K(66, 92, 82, 96), K(76, 50, 90, 48), K(66, 8, 72, 6),  K(50, 4, 40, 14),
};
/* .. that does not close. */
static const struct digit_knot oval_open[] = {
    K(46, 0, 40, 4),   K(24, 14, 10, 24), K(14, 66, 2, 76), K(34, 104, 26, 104),
    K(62, 96, 84, 96), K(76, 56, 94, 44), K(66, 14, 70, 4), K(60, 8, 48, 8),
};

/* 1: a line. */
static const struct digit_knot line[] = {
    K(50, 0, 54, 0),
    K(52, 34, 46, 32),
    K(48, 66, 54, 68),
    K(50, 100, 48, 100),
};
/* .. with a flag. */
static const struct digit_knot line_flag[] = {
    K(30, 22, 18, 34), K(42, 14, 40, 16),   CORNER(52, 0, 54, 0),
    K(51, 50, 53, 50), K(50, 100, 54, 100),
};
/* .. with a flag and a base. */
static const struct digit_knot line_base[] = {
    K(34, 18, 20, 28), CORNER(52, 0, 54, 0), K(51, 50, 53, 50), K(50, 98, 52, 98),
    DIGIT_LIFT,        K(30, 99, 10, 100),   K(50, 99, 50, 96), K(70, 99, 92, 99),
};

/* 2: a swan with a corner. */
static const struct digit_knot swan[] = {
    K(16, 26, 4, 22),  K(24, 2, 14, -6),      K(60, -8, 74, -8), K(78, 22, 86, 24),
    K(64, 56, 60, 62), CORNER(12, 96, 6, 98), K(50, 94, 48, 98), K(86, 98, 100, 92),
};
/* .. with a loop. */
static const struct digit_knot swan_loop[] = {
    K(18, 20, 8, 26),  K(34, -4, 20, -8),   K(78, -4, 84, -6), K(76, 36, 82, 30),
    K(46, 78, 52, 72), K(16, 104, 18, 108), K(4, 84, -6, 92),  K(24, 74, 14, 72),
    K(56, 94, 50, 92), K(94, 92, 104, 100),
};
/* .. with a small loop and a wave. */
static const struct digit_knot swan_wave[] = {
    K(12, 12, 18, 18), K(46, -8, 40, -2),   K(82, 6, 74, 6),
    K(70, 46, 70, 44), K(30, 86, 34, 84),   CORNER(10, 98, 14, 98),
    K(36, 80, 36, 88), K(64, 102, 58, 106), K(96, 86, 92, 92),
};

/* .. with a round loop, and a tail that hangs down. */
static const struct digit_knot swan_curl[] = {
    K(24, 22, 10, 14), K(30, -8, 24, -8),   K(80, -10, 90, -4), K(78, 30, 84, 40),
    K(58, 84, 54, 84), K(30, 110, 24, 108), K(-2, 98, -8, 86),  K(10, 66, 20, 62),
    K(48, 76, 52, 84), K(82, 108, 88, 104),
};
/* .. with a slanted neck and no bow at the bottom. */
static const struct digit_knot swan_steep[] = {
    K(10, 22, 20, 14), K(36, -4, 50, 0),       K(78, -2, 80, 4),  K(66, 40, 60, 40),
    K(40, 76, 44, 74), CORNER(14, 90, 24, 84), K(50, 92, 50, 96), K(88, 94, 86, 116),
};

/* 3: two bows. */
static const struct digit_knot bows[] = {
    K(18, 10, 10, 18), K(40, -6, 30, -6),      K(84, -2, 82, 0),
    K(80, 40, 76, 38), CORNER(40, 46, 42, 44), K(84, 48, 90, 50),
    K(94, 92, 88, 98), K(46, 108, 40, 106),    K(8, 92, 10, 82),
};
/* .. with a round middle. */
static const struct digit_knot bows_round[] = {
    K(14, 16, 22, 6),  K(34, -8, 50, -4), K(80, -2, 84, 8),  K(78, 36, 74, 38),   K(44, 48, 40, 48),
    K(44, 46, 44, 50), K(84, 54, 80, 56), K(88, 96, 82, 98), K(36, 108, 36, 104), K(6, 88, 14, 92),
};
/* .. with a small loop. */
static const struct digit_knot bows_loop[] = {
    K(14, 12, 20, 14),   K(50, -10, 46, -8), K(84, 6, 80, 10),  K(72, 44, 66, 46),
    K(30, 52, 28, 50),   K(36, 40, 34, 38),  K(80, 50, 78, 52), K(90, 92, 86, 94),
    K(44, 110, 40, 108), K(4, 86, 8, 88),
};
/* .. with a flat top. */
static const struct digit_knot bows_flat[] = {
    K(16, 4, 14, 8),   K(46, 2, 46, 6),   CORNER(78, 2, 82, 2), CORNER(46, 40, 40, 42),
    K(88, 42, 94, 46), K(88, 96, 86, 98), K(38, 106, 34, 106),  K(8, 90, 10, 84),
};

/* .. with a small bow below that hangs to the left. */
static const struct digit_knot bows_hang[] = {
    K(20, 12, 14, 6),  K(50, 0, 44, -4),       K(82, 4, 90, -2),
    K(70, 32, 60, 28), CORNER(42, 44, 34, 40), K(72, 48, 72, 44),
    K(80, 74, 90, 84), K(60, 100, 48, 106),    K(26, 104, 6, 108),
};

/* 4: open, in two strokes. */
static const struct digit_knot forked[] = {
    K(24, 4, 34, 0),   K(18, 30, 14, 34), CORNER(14, 54, 6, 58),
    K(50, 52, 50, 56), K(84, 48, 92, 52), DIGIT_LIFT,
    K(72, 2, 64, 18),  K(68, 50, 62, 50), K(64, 100, 58, 100),
};
/* .. with a round bowl. */
static const struct digit_knot forked_round[] = {
    K(18, 2, 24, 10), K(10, 34, 12, 46), K(24, 62, 26, 62), K(56, 58, 58, 54),   K(74, 40, 74, 44),
    DIGIT_LIFT,       K(80, 0, 78, 8),   K(74, 44, 70, 40), K(70, 100, 62, 100),
};
/* .. in one stroke, with the bowl closed by its stem. */
static const struct digit_knot forked_one[] = {
    K(22, 6, 28, 0),       K(14, 36, 10, 40), K(20, 58, 16, 56),   K(52, 54, 56, 46),
    CORNER(76, 8, 78, 14), K(70, 50, 70, 50), K(66, 100, 62, 100),
};
/* .. closed. */
static const struct digit_knot sail[] = {
    K(62, 0, 70, 2),   K(38, 32, 40, 36), CORNER(8, 64, 4, 62),
    K(50, 64, 48, 62), K(92, 62, 96, 66), DIGIT_LIFT,
    K(64, 0, 68, 6),   K(62, 50, 66, 50), K(60, 100, 64, 100),
};
/* .. closed, in one stroke. */
static const struct digit_knot sail_one[] = {
    K(86, 56, 94, 62),    K(46, 60, 50, 60), CORNER(8, 62, 6, 56), K(34, 34, 36, 30),
    CORNER(68, 2, 66, 0), K(64, 50, 60, 50), K(58, 100, 56, 100),
};

/* 5: a bow, then the hat. */
static const struct digit_knot hat[] = {
    K(34, 4, 26, 4),   K(30, 24, 24, 24),  CORNER(26, 44, 22, 46), K(60, 32, 56, 32),
    K(90, 52, 86, 56), K(82, 96, 78, 100), K(42, 108, 40, 108),    K(10, 92, 8, 88),
    DIGIT_LIFT,        K(32, 4, 26, 4),    K(60, 4, 56, 2),        K(86, 2, 92, -6),
};
/* .. in one stroke. */
static const struct digit_knot hat_one[] = {
    K(86, 0, 92, 4),        K(60, 2, 60, 4),   CORNER(34, 4, 26, 4), K(30, 24, 20, 26),
    CORNER(26, 44, 16, 48), K(62, 34, 56, 40), K(92, 58, 84, 62),    K(78, 98, 70, 104),
    K(40, 106, 34, 106),    K(10, 94, 2, 92),
};
/* .. like an S. */
static const struct digit_knot ess[] = {
    K(88, 4, 94, -2),    K(56, -4, 60, 2),    K(28, 10, 32, 12),
    K(20, 36, 22, 38),   K(50, 48, 60, 50),   K(84, 66, 82, 72),
    K(70, 102, 60, 106), K(30, 106, 24, 104), K(8, 92, 4, 88),
};

/* .. with a small bow and a long hat. */
static const struct digit_knot hat_long[] = {
    K(48, 6, 38, 16),  K(42, 24, 32, 30),   K(38, 42, 22, 46),  K(62, 44, 66, 52),
    K(66, 66, 76, 84), K(48, 104, 46, 108), K(28, 98, 0, 96),   DIGIT_LIFT,
    K(48, 6, 38, 16),  K(66, 6, 70, 12),    K(82, -4, 110, -6),
};

/* 6: a bow with a loop. */
static const struct digit_knot curl[] = {
    K(70, 0, 60, 2),   K(44, 10, 40, 16), K(16, 46, 18, 50), K(10, 92, 16, 94), K(48, 108, 46, 106),
    K(86, 94, 80, 92), K(80, 58, 76, 60), K(46, 48, 44, 56), K(22, 70, 24, 76),
};
/* .. with a straight stem. */
static const struct digit_knot curl_stem[] = {
    K(44, 0, 30, 0),    K(32, 26, 22, 28),   K(16, 62, 14, 62),
    K(16, 98, 10, 100), K(52, 106, 50, 106), K(84, 88, 86, 86),
    K(68, 58, 70, 56),  K(36, 60, 36, 62),   K(18, 82, 20, 86),
};
/* .. wide, with a small loop. */
static const struct digit_knot curl_wide[] = {
    K(76, 8, 84, 4),   K(40, -2, 50, 0),  K(10, 34, 12, 34), K(4, 90, 2, 84),   K(44, 108, 38, 108),
    K(80, 94, 76, 96), K(76, 64, 74, 66), K(44, 60, 42, 60), K(24, 80, 26, 84),
};

/* .. like a bowl with its loop at the right. */
static const struct digit_knot curl_bowl[] = {
    K(36, 0, 26, 4),     K(14, 34, 4, 40),    K(8, 84, 0, 84),
    K(34, 108, 40, 106), K(82, 100, 104, 98), K(84, 66, 106, 62),
    K(64, 54, 78, 48),   K(44, 70, 56, 62),   K(48, 88, 60, 88),
};

/* 7: a corner. */
static const struct digit_knot scythe[] = {
    K(12, 8, 6, 4), K(46, 8, 48, 4), CORNER(82, 4, 90, 2), K(60, 44, 64, 40), K(46, 100, 44, 100),
};
/* .. with a round corner. */
static const struct digit_knot scythe_round[] = {
    K(14, 18, 8, 10),  K(34, 2, 46, 10),  K(78, 6, 92, -2),
    K(80, 18, 84, 14), K(56, 54, 56, 58), K(50, 100, 42, 100),
};
/* .. with a hook at the left. */
static const struct digit_knot scythe_hook[] = {
    K(12, 26, 10, 20),    CORNER(12, 8, 12, 4), K(46, 10, 50, 6),
    CORNER(86, 4, 84, 2), K(62, 44, 58, 50),    K(52, 100, 48, 100),
};
/* .. with a bar. */
static const struct digit_knot scythe_bar[] = {
    K(14, 8, 8, 4), K(46, 8, 48, 4),   CORNER(84, 4, 86, 2), K(58, 44, 62, 46), K(46, 100, 40, 100),
    DIGIT_LIFT,     K(34, 52, 26, 48), K(56, 50, 56, 48),    K(80, 48, 86, 46),
};

/* 8: in one stroke from the right. */
static const struct digit_knot knot8[] = {
    K(66, 16, 78, 8),  K(56, -8, 56, -6), K(26, -2, 16, 2),    K(28, 40, 20, 36),
    K(52, 54, 60, 54), K(72, 74, 86, 78), K(58, 108, 62, 108), K(24, 106, 14, 104),
    K(20, 72, 12, 74), K(46, 52, 46, 50), K(66, 34, 80, 26),   K(68, 6, 78, 2),
};
/* .. narrow, open at the top. */
static const struct digit_knot open8[] = {
    K(80, 16, 90, 12), K(54, -6, 62, -8), K(20, 6, 24, 0),     K(30, 40, 22, 36),
    K(56, 58, 66, 56), K(70, 84, 76, 88), K(48, 108, 46, 110), K(22, 98, 10, 98),
    K(28, 76, 26, 74), K(58, 48, 62, 46), K(82, 22, 100, 4),
};
/* .. begun at the middle. */
static const struct digit_knot middle8[] = {
    K(56, 44, 60, 48),   K(26, 36, 20, 36), K(22, 2, 24, -2),  K(56, -6, 66, -4),
    K(80, 14, 80, 20),   K(46, 52, 48, 48), K(14, 70, 20, 70), K(16, 104, 20, 106),
    K(60, 108, 66, 106), K(76, 72, 84, 68), K(46, 46, 50, 42),
};
/* .. as two rings. */
static const struct digit_knot rings8[] = {
    K(50, 0, 46, 0),   K(26, 0, 20, 4),   K(20, 40, 24, 38),   K(52, 54, 50, 50),
    K(78, 36, 74, 36), K(72, 2, 72, 0),   K(48, 0, 42, 2),     DIGIT_LIFT,
    K(50, 46, 50, 50), K(20, 50, 14, 56), K(14, 104, 14, 104), K(54, 108, 50, 106),
    K(88, 98, 86, 98), K(80, 54, 78, 52), K(52, 46, 46, 50),
};

/* 9: a ring on a stick. */
static const struct digit_knot stick[] = {
    K(76, 10, 70, 16),    K(54, -8, 50, -2), K(16, 4, 12, 8),
    K(14, 50, 10, 46),    K(54, 56, 50, 52), K(74, 30, 70, 24),
    CORNER(78, 6, 74, 6), K(74, 50, 68, 50), K(70, 100, 58, 100),
};
/* .. with a hook. */
static const struct digit_knot stick_hook[] = {
    K(74, 14, 78, 10),   K(50, -8, 54, -8), K(14, 0, 14, 8),        K(14, 48, 12, 50),
    K(56, 54, 56, 54),   K(78, 24, 78, 26), CORNER(78, 10, 80, 10), K(80, 60, 80, 60),
    K(66, 108, 60, 110), K(20, 98, 14, 92),
};
/* .. in one bow, the ring a loop. */
static const struct digit_knot loop9[] = {
    K(66, 44, 62, 46), K(36, 58, 30, 58), K(12, 36, 8, 38),  K(22, -2, 20, -4),
    K(66, -6, 72, -6), K(80, 26, 78, 24), K(70, 66, 64, 62), K(54, 100, 36, 100),
};

/* .. small, with a long tail. */
static const struct digit_knot tail9[] = {
    K(70, 6, 66, 14),  K(46, -4, 40, 2),     K(24, 14, 16, 22), K(26, 44, 24, 52),
    K(60, 36, 60, 44), CORNER(76, 6, 82, 4), K(64, 54, 60, 52), K(52, 100, 30, 100),
};

#define STYLE(digit, share, knots)                                                                 \
    { digit, share, knots, sizeof(knots) / sizeof *(knots) }
const struct digit_style digit_styles[DIGIT_STYLES] = {
    STYLE(0, 0.5, oval),         STYLE(0, 0.25, oval_tail),   STYLE(0, 0.25, oval_open),
    STYLE(1, 0.75, line),        STYLE(1, 0.18, line_flag),   STYLE(1, 0.07, line_base),
    STYLE(2, 0.25, swan),        STYLE(2, 0.25, swan_loop),   STYLE(2, 0.1, swan_wave),
    STYLE(2, 0.2, swan_steep),   STYLE(2, 0.2, swan_curl),    STYLE(3, 0.25, bows),
    STYLE(3, 0.25, bows_round),  STYLE(3, 0.15, bows_loop),   STYLE(3, 0.1, bows_flat),
    STYLE(3, 0.25, bows_hang),   STYLE(4, 0.3, forked),       STYLE(4, 0.3, forked_round),
    STYLE(4, 0.2, forked_one),   STYLE(4, 0.1, sail),         STYLE(4, 0.1, sail_one),
    STYLE(5, 0.25, hat),         STYLE(5, 0.2, hat_one),      STYLE(5, 0.15, ess),
    STYLE(5, 0.4, hat_long),     STYLE(6, 0.3, curl),         STYLE(6, 0.25, curl_stem),
    STYLE(6, 0.2, curl_wide),    STYLE(6, 0.25, curl_bowl),   STYLE(7, 0.4, scythe),
    STYLE(7, 0.3, scythe_round), STYLE(7, 0.15, scythe_hook), STYLE(7, 0.15, scythe_bar),
    STYLE(8, 0.3, knot8),        STYLE(8, 0.4, open8),        STYLE(8, 0.2, middle8),
    STYLE(8, 0.1, rings8),       STYLE(9, 0.3, stick),        STYLE(9, 0.25, stick_hook),
    STYLE(9, 0.2, loop9),        STYLE(9, 0.25, tail9),
};
