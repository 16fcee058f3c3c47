// TSV and JSON lines → examples.
#include "tasks/examples.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "tasks/example_rows.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "text/utf8.h"

namespace ink {
namespace {

constexpr size_t kMaxFileBytes = size_t{8} << 30;
constexpr size_t kMaxLineBytes = size_t{64} << 20;

struct Unresolved {
  Examples examples;
  std::vector<std::optional<std::string>> labels;  // one for each example, as it stands in the file
};

std::string place(const std::string& source, int64_t line) {
  return source + ':' + std::to_string(line);
}

// How a field is found: by a usual name, or by one that the user gives.
std::string advice_for(Role role, LabelKind kind) {
  std::string names;
  for (const std::string& name : usual_names(role, kind))
    names += (names.empty() ? "" : ", ") + name;
  return "call its field one of " + names + ", or name it in `" + kRoleNames[role] +
         "`, that of a TSV file in `columns` (--columns)";
}

void add_row(Unresolved& into, Row row, const ReadOptions& options, int64_t line) {
  const std::string where = place(into.examples.source, line);
  std::optional<std::string>& label = row[kLabel];
  check(row[kText].has_value(), "", where, ": this example has no text; ",
        advice_for(kText, options.kind));
  check(label.has_value() || !options.labelled, "", where, ": this example has no label; ",
        advice_for(kLabel, options.kind));
  if (label && std::ranges::find(options.skip_labels, *label) != options.skip_labels.end()) return;
  check(!options.labelled || options.kind == LabelKind::several || !label->empty(), "", where,
        ": expected a label, got an empty field");
  into.examples.items.push_back({.text = std::move(*row[kText]),
                                 .pair = std::move(row[kPair]).value_or(""),
                                 .group = std::move(row[kGroup]).value_or(""),
                                 .line = line});
  into.labels.push_back(options.labelled ? std::move(label) : std::nullopt);
}

// Those of data in which `names` stand, one or several an example.
Labels labels_in(std::vector<std::string> names, const Examples& examples) {
  const size_t n = std::max(names.size(), examples.size());
  Labels labels = Labels::of_data(std::move(names));
  // Nearly as many classes as examples: the fields were surely taken for one another.
  check(n < 20 || static_cast<size_t>(labels.size()) <= n / 2, "", examples.source, ": found ",
        labels.size(), " different labels in ", examples.size(),
        " examples; is the order of fields another? Name it in `columns` (--columns), as in "
        "\"text,label\"");
  return labels;
}

// The names in the field of each example.
std::vector<std::vector<std::string>> names_of(const Unresolved& read, LabelKind kind) {
  std::vector<std::vector<std::string>> all(read.labels.size());
  for (size_t i = 0; i < all.size(); ++i) {
    if (!read.labels[i]) continue;
    if (kind == LabelKind::one)
      all[i] = {*read.labels[i]};
    else
      all[i] =
          label_names(*read.labels[i], place(read.examples.source, read.examples.items[i].line));
  }
  return all;
}

void set_numbers(Unresolved& read, const Labels* known) {
  Examples& examples = read.examples;
  examples.labels = known ? *known : label_of_numbers();
  for (size_t i = 0; i < examples.size(); ++i)
    examples.items[i].numbers = {
        read.labels[i]
            ? label_number(*read.labels[i], place(examples.source, examples.items[i].line))
            : std::numeric_limits<float>::quiet_NaN()};
}

void set_labels(Unresolved& read, const ReadOptions& options, const Labels* known) {
  Examples& examples = read.examples;
  const auto names = names_of(read, options.kind);
  std::vector<std::string> together;
  for (const auto& of_one : names) together.insert(together.end(), of_one.begin(), of_one.end());
  examples.labels = known ? *known : labels_in(std::move(together), examples);
  for (size_t i = 0; i < examples.size(); ++i) {
    Example& example = examples.items[i];
    if (options.kind == LabelKind::several)
      example.numbers.assign(static_cast<size_t>(examples.labels.size()),
                             read.labels[i] ? 0 : std::numeric_limits<float>::quiet_NaN());
    for (const std::string& name : names[i]) {
      const int32_t id =
          examples.labels.id_of(name, place(examples.source, example.line), options.advice);
      if (options.kind == LabelKind::several)
        example.numbers[static_cast<size_t>(id)] = 1;
      else
        example.label = id;
    }
  }
}

}  // namespace

Labels label_of_numbers() { return Labels({"LABEL_0"}); }

Examples parse_examples(std::string_view text, const std::string& source, bool json_lines,
                        const ReadOptions& options, const Labels* labels) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // byte order mark
  Unresolved read{{{}, {}, source}, {}};
  TsvRows tsv(options);
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const std::string where = place(source, number);
    check(line.size() <= kMaxLineBytes, "", where, ": this line has ", line.size(),
          " bytes; expected at most ", kMaxLineBytes);
    const size_t bad = first_invalid_utf8(line);
    check(bad == line.size(), "", where, ": expected UTF-8, found another byte at column ",
          bad + 1);
    std::optional<Row> row =
        json_lines ? parse_json_row(line, options, where) : tsv.parse(line, where);
    if (row) add_row(read, std::move(*row), options, number);
  }
  check(!read.examples.items.empty(), "", source, ": expected examples, found none");

  if (options.kind == LabelKind::number)
    set_numbers(read, labels);
  else
    set_labels(read, options, labels);
  return std::move(read.examples);
}

Examples read_examples(const std::filesystem::path& path, const ReadOptions& options,
                       const Labels* labels) {
  const std::string extension = path.extension().string();
  return parse_examples(read_file(path, kMaxFileBytes), path.string(),
                        extension == ".json" || extension == ".jsonl", options, labels);
}

Example example_of(const std::string& line) {
  const size_t tab = line.find('\t');
  if (tab == std::string::npos) return {.text = line};
  return {.text = line.substr(0, tab), .pair = line.substr(tab + 1)};
}

}  // namespace ink
