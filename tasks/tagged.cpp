// Lines of units and tags → sentences.
#include "tasks/tagged.h"

#include <algorithm>

#include "tasks/split.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "text/utf8.h"

namespace ink {
namespace {

constexpr size_t kMaxFileBytes = size_t{8} << 30;
constexpr std::string_view kBlanks = " \t\r", kDocument = "-DOCSTART-";

std::string place(const std::string& source, int64_t line) {
  return source + ':' + std::to_string(line);
}

struct Fields {
  std::string_view unit, tag;  // tag empty where there is one field only
};

Fields fields_of(std::string_view line) {
  const size_t first = line.find_first_not_of(kBlanks);
  const size_t first_end = std::min(line.find_first_of(kBlanks, first), line.size());
  const size_t last_end = line.find_last_not_of(kBlanks) + 1;
  if (first_end == last_end) return {line.substr(first, first_end - first), {}};
  const size_t last = line.find_last_of(kBlanks, last_end - 1) + 1;
  return {line.substr(first, first_end - first), line.substr(last, last_end - last)};
}

bool inside(std::string_view tag) { return tag.starts_with("I-"); }
bool continues(std::string_view before, std::string_view tag) {
  return before.size() == tag.size() && (before[0] == 'B' || before[0] == 'I') &&
         before.substr(1) == tag.substr(1);
}

struct Reader {
  TaggedText text;
  bool tagged = true;                               // whether a line has to have a tag
  std::vector<std::vector<std::string>> tags = {};  // of each sentence
  int64_t documents = 0;
  bool open = false;  // whether the next unit belongs to the last sentence

  void add(const Fields& fields, int64_t line) {
    check(!tagged || !fields.tag.empty(), "", place(text.source, line),
          ": expected a unit and its tag, as in \"中 B-ORG\", got only one of them");
    if (!open) {
      const std::string group = documents ? std::to_string(documents) : "";
      text.items.push_back({.units = {}, .line = line, .group = group});
      tags.emplace_back();
      open = true;
    }
    text.items.back().units.emplace_back(fields.unit);
    if (!tagged) return;
    std::string tag(fields.tag);
    const std::string before = tags.back().empty() ? "O" : tags.back().back();
    if (inside(tag) && !continues(before, tag)) tag[0] = 'B';
    tags.back().push_back(std::move(tag));
  }
};

Labels labels_in(const Reader& read) {
  std::vector<std::string> names;
  for (const std::vector<std::string>& sentence : read.tags)
    for (const std::string& tag : sentence)
      if (std::ranges::find(names, tag) == names.end()) names.push_back(tag);
  return Labels::of_data(std::move(names));
}

// The sentences of a text, whose tags are names still.
Reader sentences_in(std::string_view text, const std::string& source, bool tagged) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // byte order mark
  Reader reader{.text = {{}, {}, source}, .tagged = tagged};
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    const size_t bad = first_invalid_utf8(line);
    check(bad == line.size(), "", place(source, number),
          ": expected UTF-8, found another byte at column ", bad + 1);
    if (line.find_first_not_of(kBlanks) == std::string_view::npos) {
      reader.open = false;
    } else if (line.starts_with(kDocument)) {
      ++reader.documents;
      reader.open = false;
    } else {
      reader.add(fields_of(line), number);
    }
  }
  check(!reader.text.items.empty(), "", source, ": expected tagged sentences, found none");
  return reader;
}

}  // namespace

TaggedText parse_tagged(std::string_view text, const std::string& source, const Labels* labels,
                        const std::string& advice) {
  Reader reader = sentences_in(text, source, true);
  TaggedText& read = reader.text;
  read.labels = labels ? *labels : labels_in(reader);
  for (size_t i = 0; i < read.size(); ++i) {
    TaggedSentence& sentence = read.items[i];
    for (size_t u = 0; u < sentence.units.size(); ++u)
      sentence.tags.push_back(read.labels.id_of(
          reader.tags[i][u], place(source, sentence.line + static_cast<int64_t>(u)), advice));
  }
  return std::move(read);
}

TaggedText read_tagged(const std::filesystem::path& path, const Labels* labels,
                       const std::string& advice) {
  return parse_tagged(read_file(path, kMaxFileBytes), path.string(), labels, advice);
}

TaggedText read_untagged(const std::filesystem::path& path, const Labels& labels) {
  Reader reader = sentences_in(read_file(path, kMaxFileBytes), path.string(), false);
  reader.text.labels = labels;
  return std::move(reader.text);
}

std::string as_lines(const TaggedSentence& sentence, const Labels& labels) {
  std::string lines;
  for (size_t u = 0; u < sentence.units.size(); ++u)
    lines += sentence.units[u] + ' ' + labels.name(sentence.tags[u]) + '\n';
  return lines + '\n';
}

std::pair<TaggedText, TaggedText> read_both_tagged(const TaskData& data, const Labels* labels,
                                                   uint64_t seed) {
  TaggedText train = read_tagged(data.train, labels, data.read.advice);
  if (!data.dev.empty()) {
    TaggedText dev = read_tagged(data.dev, &train.labels, data.read.advice);
    return {std::move(train), std::move(dev)};
  }
  std::vector<std::string> groups;
  for (const TaggedSentence& s : train.items) groups.push_back(s.group);
  const std::vector<bool> chosen =
      choose_groups(groups, data.dev_fraction, Random(seed), train.source);
  TaggedText rest{{}, train.labels, train.source}, part = rest;
  for (size_t i = 0; i < train.size(); ++i)
    (chosen[i] ? part : rest).items.push_back(std::move(train.items[i]));
  return {std::move(rest), std::move(part)};
}

std::pair<TaskSet, TaskSet> read_both_sets(MakeTaggedSet make, const TaskData& data,
                                           const Labels* labels, uint64_t seed,
                                           const TokenOptions& tokens) {
  auto [train, dev] = read_both_tagged(data, labels, seed);
  TaskSet first = make(std::move(train), tokens);
  return {std::move(first), make(std::move(dev), tokens)};
}

TaskSet read_set(MakeTaggedSet make, const std::filesystem::path& file, const ReadOptions& options,
                 const Labels& labels, const TokenOptions& tokens) {
  return make(
      options.labelled ? read_tagged(file, &labels, options.advice) : read_untagged(file, labels),
      tokens);
}

}  // namespace ink
