// Sentences: a text cut where Chinese or Latin sentences end.
//
// 。！？；… (and ! ? before a blank or a Han character) end a sentence together with the closing
// quotes and brackets behind them. A Latin full stop ends one when a blank and no small letter
// follow, unless it stands in a number, after a single capital (J. Smith) or after a common
// abbreviation (Dr., e.g.). Line ends always do.
#pragma once
#include <string_view>
#include <vector>

#include "text/utf8.h"

namespace ink {

// Spans of bytes, in order, without the blanks around each sentence; none is empty. Raises Error
// when the text is not UTF-8.
std::vector<Span> split_sentences(std::string_view text);

}  // namespace ink
