// Names in configurations and options: an unknown one is an error that names the nearest known one.
#pragma once
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "tensor/json.h"

namespace ink {

// The known word with the smallest edit distance (Levenshtein, whatever the case of letters) to
// `word`, the first of equals; empty when all are farther than a third of the longer word's length,
// rounded.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known);

// 'a word' for messages: at most about 40 characters of it.
std::string in_quotes(std::string_view word);

// "a, b or c", for messages.
std::string alternatives(std::span<const std::string_view> names);

// "did you mean 'temperature'?", or where nothing is near "expected one of a, b or c".
std::string correction(std::string_view word, std::span<const std::string_view> known);

// Raises Error unless `object` is an object whose keys are all known:
// "distill.json: unknown key 'temprature'; did you mean 'temperature'?"
void check_keys(const Json& object, std::span<const std::string_view> known);
void check_keys(const Json& object, std::initializer_list<std::string_view> known);

// The position of a string in `names`; raises Error "config.json: kd_loss_type: unknown value …"
// with the known ones.
size_t choice(const Json& object, std::string_view key,
              std::initializer_list<std::string_view> names);

}  // namespace ink
