#include "tui/decode.h"

#include "tui/text.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int code;
    uint32_t key;
} curses_keys[] = {
    {KEY_UP, K_UP},
    {KEY_DOWN, K_DOWN},
    {KEY_LEFT, K_LEFT},
    {KEY_RIGHT, K_RIGHT},
    {KEY_HOME, K_HOME},
    {KEY_END, K_END},
    {KEY_PPAGE, K_PAGE_UP},
    {KEY_NPAGE, K_PAGE_DOWN},
    {KEY_IC, K_INSERT},
    {KEY_DC, K_DELETE},
    {KEY_BACKSPACE, K_BACKSPACE},
    {KEY_ENTER, K_ENTER},
    {KEY_BTAB, K_BACKTAB},
    {KEY_A1, K_HOME},
    {KEY_A3, K_PAGE_UP},
    {KEY_C1, K_END},
    {KEY_C3, K_PAGE_DOWN},
    {KEY_FIND, K_HOME},
    {KEY_SELECT, K_END},
    {KEY_SLEFT, K_LEFT},
    {KEY_SRIGHT, K_RIGHT},
    {KEY_SR, K_UP},
    {KEY_SF, K_DOWN},
    {KEY_SHOME, K_HOME},
    {KEY_SEND, K_END},
    {KEY_SDC, K_DELETE},
};

/* Sequences that most terminals send, whatever their terminfo says. */
static const struct {
    char final;
    int number; /* before "~" */
    uint32_t key;
} sequences[] = {
    {'A', 0, K_UP},       {'B', 0, K_DOWN},    {'C', 0, K_RIGHT},     {'D', 0, K_LEFT},    {'H', 0, K_HOME},
    {'F', 0, K_END},      {'Z', 0, K_BACKTAB}, {'M', 0, K_ENTER},     {'P', 0, K_F1},      {'Q', 0, K_F1 + 1},
    {'R', 0, K_F1 + 2},   {'S', 0, K_F1 + 3},  {'~', 1, K_HOME},      {'~', 2, K_INSERT},  {'~', 3, K_DELETE},
    {'~', 4, K_END},      {'~', 5, K_PAGE_UP}, {'~', 6, K_PAGE_DOWN}, {'~', 7, K_HOME},    {'~', 8, K_END},
    {'~', 11, K_F1},      {'~', 12, K_F1 + 1}, {'~', 13, K_F1 + 2},   {'~', 14, K_F1 + 3}, {'~', 15, K_F1 + 4},
    {'~', 17, K_F1 + 5},  {'~', 18, K_F1 + 6}, {'~', 19, K_F1 + 7},   {'~', 20, K_F1 + 8}, {'~', 21, K_F1 + 9},
    {'~', 23, K_F1 + 10}, {'~', 24, K_F12},
};

static void emit(struct decode *decode, uint32_t key, bool alt)
{
    if (key == K_NONE || decode->ready_count == sizeof(decode->ready) / sizeof(decode->ready[0]))
        return;
    decode->ready[decode->ready_count++] =
        (struct input){.kind = INPUT_KEY, .key = key, .alt = alt, .pasted = decode->pasting};
}

static uint32_t control_key(int code)
{
    if (code == '\r' || code == '\n')
        return K_ENTER;
    return code == 0x7F || code == '\b' ? (uint32_t)K_BACKSPACE : (uint32_t)code;
}

static uint32_t curses_key(int code)
{
    if (code > KEY_F0 && code <= KEY_F0 + 12)
        return K_F1 + (uint32_t)(code - KEY_F0 - 1);
    for (size_t i = 0; i < sizeof(curses_keys) / sizeof(curses_keys[0]); i++)
        if (curses_keys[i].code == code)
            return curses_keys[i].key;
    return K_NONE;
}

static void put_byte(struct decode *decode, int code, bool alt)
{
    if (code < 0x80) {
        decode->bytes_length = 0;
        emit(decode, control_key(code), alt);
        return;
    }
    if (!decode->utf8)
        return;
    if (code >= 0xC0)
        decode->bytes_length = 0;
    decode->bytes_alt = decode->bytes_length == 0 ? alt : decode->bytes_alt;
    decode->bytes[decode->bytes_length++] = (char)code;
    uint32_t code_point;
    if (text_decode(decode->bytes, decode->bytes_length, &code_point) > 0)
        emit(decode, code_point, decode->bytes_alt);
    else if (decode->bytes_length < sizeof(decode->bytes))
        return;
    decode->bytes_length = 0;
}

static void finish_sequence(struct decode *decode, char final)
{
    decode->parameters[decode->parameters_length] = '\0';
    int number = final == '~' ? atoi(decode->parameters) : 0;
    bool swallow = decode->swallow;
    decode->state = DECODE_PLAIN;
    decode->swallow = false;
    if (final == '~' && (number == 200 || number == 201))
        decode->pasting = number == 200;
    for (size_t i = 0; !swallow && i < sizeof(sequences) / sizeof(sequences[0]); i++)
        if (sequences[i].final == final && sequences[i].number == number) {
            emit(decode, sequences[i].key, false);
            return;
        }
}

static void begin_sequence(struct decode *decode, int code, bool swallow)
{
    decode->state = code == '[' ? DECODE_CSI : DECODE_SS3;
    decode->swallow = swallow;
    decode->parameters_length = 0;
}

static void put_sequence(struct decode *decode, int code)
{
    if (decode->state == DECODE_SS3 || (code >= 0x40 && code <= 0x7E)) {
        finish_sequence(decode, (char)code);
    } else if (code < 0x20 || code > 0x7E) {
        /* Not a sequence after all. */
        decode->state = DECODE_PLAIN;
        put_byte(decode, code, false);
    } else if (decode->parameters_length + 1 < sizeof(decode->parameters)) {
        decode->parameters[decode->parameters_length++] = (char)code;
    }
}

static void put_function_key(struct decode *decode, int code)
{
    bool alt = decode->state == DECODE_ESCAPE;
    decode->state = DECODE_PLAIN;
    decode->bytes_length = 0;
    if (code == DECODE_KEY_PASTE_BEGIN || code == DECODE_KEY_PASTE_END)
        decode->pasting = code == DECODE_KEY_PASTE_BEGIN;
    else
        emit(decode, curses_key(code), alt);
}

/* What time has made of the state: tails and pastes that never came to their end. */
static void expire(struct decode *decode, int64_t now_ms)
{
    int64_t silence = now_ms - decode->last_ms;
    if (silence > DECODE_TAIL_MS && decode->state != DECODE_ESCAPE)
        decode->state = DECODE_PLAIN;
    if (silence > DECODE_PASTE_MS)
        decode->pasting = false;
}

void decode_put(struct decode *decode, int64_t now_ms, int code)
{
    expire(decode, now_ms);
    decode->last_ms = now_ms;
    if (code > 0xFF) {
        put_function_key(decode, code);
        return;
    }
    switch (decode->state) {
    case DECODE_CSI:
    case DECODE_SS3:
        put_sequence(decode, code);
        return;
    case DECODE_ESCAPE:
    case DECODE_ESCAPE_SENT:
        if (code == '[' || code == 'O') {
            begin_sequence(decode, code, decode->state == DECODE_ESCAPE_SENT);
            return;
        }
        if (code == K_ESC) {
            if (decode->state == DECODE_ESCAPE)
                emit(decode, K_ESC, false);
            decode->state = DECODE_ESCAPE;
            return;
        }
        put_byte(decode, code, decode->state == DECODE_ESCAPE);
        decode->state = DECODE_PLAIN;
        return;
    case DECODE_PLAIN:
        break;
    }
    if (code == K_ESC)
        decode->state = DECODE_ESCAPE;
    else
        put_byte(decode, code, false);
}

bool decode_take(struct decode *decode, int64_t now_ms, struct input *input)
{
    expire(decode, now_ms);
    if (decode->ready_count == 0)
        return false;
    *input = decode->ready[0];
    decode->ready_count--;
    memmove(decode->ready, decode->ready + 1, decode->ready_count * sizeof(decode->ready[0]));
    return true;
}

bool decode_idle(struct decode *decode, int64_t now_ms, struct input *input)
{
    if (decode->state != DECODE_ESCAPE)
        return decode_take(decode, now_ms, input);
    emit(decode, K_ESC, false);
    decode->state = DECODE_ESCAPE_SENT;
    return decode_take(decode, now_ms, input);
}
