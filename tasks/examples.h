// Examples of a task about whole texts, read from TSV or JSON lines; every error names file:line.
//
//   Examples train = read_examples("train.tsv");                 // labels from the data
//   Examples dev = read_examples("dev.tsv", {}, &train.labels);  // unknown labels are errors
//
// Both formats have one example a line, in UTF-8; empty lines are skipped. TSV fields are separated
// by tabs and never quoted. A field plays one of four roles: `text`, `pair` (second text of a
// sentence pair), `label`, `group` (the document it comes from, see tasks/split.h).
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tasks/label_field.h"
#include "tasks/labels.h"

namespace ink {

inline constexpr int32_t kNoLabel = -1;

struct Example {
  std::string text = {}, pair = {};  // pair is empty for single texts
  int32_t label = kNoLabel;
  std::string group = {};  // empty: a group of its own
  int64_t line = 0;        // in the file, from 1
  // Instead of a label, of LabelKind::number its number, of several a 1 for each of the labels that
  // it has and a 0 for the others; NaN where they are not known.
  std::vector<float> numbers = {};
};

struct Examples {
  std::vector<Example> items;
  Labels labels;
  std::string source;  // file name, for messages
  size_t size() const { return items.size(); }
};

struct ReadOptions {
  enum class Header : uint8_t { detect, present, absent };
  // Whether the first line of a TSV file names its fields, in capitals or not. detect: it does if
  // one of them is a name of `text` or `label` below. Two fields of which one is named `label` need
  // no name for the text; more of them do.
  Header header = Header::detect;
  // Roles of TSV fields by position, as "label,text" or "text,pair,label"; "-" skips a field.
  // Empty: from the header; without one "text", "label,text" or "text,pair,label" by the number of
  // fields in the first line.
  std::string columns = {};
  // Names of header fields or JSON members that play a role. Empty: the first that is present of
  //   text   text, text_a, sentence, sentence1, premise, question1, title
  //   pair   text_b, sentence2, hypothesis, question2, pair
  //   label  label, class, category; several: labels too; numbers: score, similarity_score too
  //   group  group, document, doc
  std::string text = {}, pair = {}, label = {}, group = {};
  // Examples with such a label are left out: {"-"} for OCNLI.
  std::vector<std::string> skip_labels = {};
  LabelKind kind = LabelKind::one;  // what the label field holds (tasks/label_field.h)
  bool labelled = true;             // false: labels are not read, whatever they are
  std::string advice = {};          // what to do about an unknown label, for the message
};

// The one label of examples with numbers, as transformers calls it.
Labels label_of_numbers();

// Reads .json and .jsonl files as JSON lines, others as TSV. With `labels` a label must be one of
// them; without, they are collected from the data. Raises Error for a missing or empty file, a row
// that does not fit, an unknown label and a label that should be a number.
Examples read_examples(const std::filesystem::path& path, const ReadOptions& options = {},
                       const Labels* labels = nullptr);
// The same from text in memory.
Examples parse_examples(std::string_view text, const std::string& source, bool json_lines,
                        const ReadOptions& options = {}, const Labels* labels = nullptr);

// A line without labels as an example: text, and behind its first tab the second text of a pair;
// nothing behind it is a single text, as in labelled files.
Example example_of(const std::string& line);

}  // namespace ink
