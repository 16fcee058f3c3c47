// TSV and JSON lines → examples.
#include "tasks/examples.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json.h"
#include "tensor/keys.h"
#include "text/utf8.h"

namespace ink {
namespace {

constexpr size_t kMaxFileBytes = size_t{8} << 30;
constexpr size_t kMaxLineBytes = size_t{64} << 20;

// The roles of fields, and the names under which each is usually found.
enum Role : uint8_t { kText, kPair, kLabel, kGroup, kRoles, kSkip = kRoles };
constexpr std::array<const char*, kRoles> kRoleNames = {"text", "pair", "label", "group"};
const std::array<std::vector<std::string>, kRoles> kUsualNames = {{
    {"text", "text_a", "sentence", "sentence1", "premise", "question1", "title"},
    {"text_b", "sentence2", "hypothesis", "question2", "pair"},
    {"label", "class", "category"},
    {"group", "document", "doc"},
}};

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (size_t begin = 0;;) {
    const size_t end = line.find(separator, begin);
    fields.push_back(line.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return fields;
    begin = end + 1;
  }
}

// One row, field by role; a missing one has no value.
using Row = std::array<std::optional<std::string>, kRoles>;

// Which name plays a role, given the user's wish and what there is; empty when none does. Raises
// Error when the wish is not there.
std::string name_for(Role role, const ReadOptions& options, const std::string& where,
                     const std::function<bool(const std::string&)>& present) {
  const std::array<const std::string*, kRoles> wishes = {&options.text, &options.pair,
                                                         &options.label, &options.group};
  const std::string& wish = *wishes[role];
  if (!wish.empty()) {
    check(present(wish), "", where, ": expected a field named '", wish, "' for the ",
          kRoleNames[role]);
    return wish;
  }
  const auto at = std::ranges::find_if(kUsualNames[role], present);
  return at == kUsualNames[role].end() ? "" : *at;
}

// ── TSV ─────────────────────────────────────────────────────────────────────────────────────────

class TsvRows {
 public:
  explicit TsvRows(const ReadOptions& options) : options_(options) {}

  std::optional<Row> parse(std::string_view line, const std::string& where) {
    const std::vector<std::string_view> fields = split(line, '\t');
    check(!roles_.empty() || fields.size() > 1 || !options_.labelled, "", where,
          ": expected fields separated by tabs, found none (is it CSV?)");
    if (roles_.empty() && settle_roles(fields, where)) return std::nullopt;
    check(fields.size() == roles_.size(), "", where, ": expected ", roles_.size(),
          " fields separated by tabs (", layout_, "), got ", fields.size());
    Row row;
    for (size_t i = 0; i < fields.size(); ++i)
      if (roles_[i] != kSkip) row[roles_[i]] = std::string(fields[i]);
    return row;
  }

 private:
  // Decides from the first line which field plays which role; true when that line is a header.
  bool settle_roles(const std::vector<std::string_view>& fields, const std::string& where) {
    const bool header = is_header(fields);
    if (!options_.columns.empty()) {
      by_position(options_.columns, where);
    } else if (header) {
      by_name(fields, where);
    } else {
      constexpr std::array<const char*, 3> usual = {"text", "label,text", "text,pair,label"};
      check(fields.size() <= usual.size(), "", where, ": cannot tell the roles of ", fields.size(),
            " fields without a header; name them in `columns` (--columns), as in \"text,label,-\"");
      by_position(usual[fields.size() - 1], where);
    }
    const auto times = [&](Role role) { return std::ranges::count(roles_, role); };
    check(times(kText) == 1, "", where, ": expected one field with the role text, got (", layout_,
          ")");
    for (const Role role : {kPair, kLabel, kGroup})
      check(times(role) <= 1, "", where, ": the role ", kRoleNames[role], " is given twice in (",
            layout_, ")");
    return header;
  }

  // A line that names a text or, with more than one field, a label.
  bool is_header(const std::vector<std::string_view>& fields) const {
    if (options_.header != ReadOptions::Header::detect)
      return options_.header == ReadOptions::Header::present;
    const auto names = [&](Role role, const std::string& wish) {
      const auto present = [&](const std::string& name) { return position(fields, name) >= 0; };
      return wish.empty() ? std::ranges::any_of(kUsualNames[role], present) : present(wish);
    };
    return names(kText, options_.text) || (fields.size() > 1 && names(kLabel, options_.label));
  }

  // Of the field with this name, in whatever case; −1 when absent.
  static ptrdiff_t position(const std::vector<std::string_view>& fields, std::string_view name) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    const auto at = std::ranges::find_if(fields, [&](std::string_view field) {
      return std::ranges::equal(field, name, {}, lower, lower);
    });
    return at == fields.end() ? -1 : at - fields.begin();
  }

  void by_position(const std::string& columns, const std::string& where) {
    layout_ = columns;
    for (const std::string_view name : split(columns, ',')) {
      const auto at = std::ranges::find(kRoleNames, name);
      check(at != kRoleNames.end() || name == "-", "", where, ": unknown role ", in_quotes(name),
            " in `columns` (--columns); known: text, pair, label, group, -");
      roles_.push_back(at == kRoleNames.end() ? kSkip : static_cast<Role>(at - kRoleNames.begin()));
    }
  }

  void by_name(const std::vector<std::string_view>& fields, const std::string& where) {
    roles_.assign(fields.size(), kSkip);
    const auto present = [&](const std::string& name) { return position(fields, name) >= 0; };
    for (const Role role : {kText, kPair, kLabel, kGroup}) {
      const std::string name = name_for(role, options_, where, present);
      if (!name.empty()) roles_[static_cast<size_t>(position(fields, name))] = role;
    }
    // Beside a label there is one other field: that is the text, whatever its name.
    if (std::ranges::count(roles_, kText) == 0 && fields.size() == 2)
      std::ranges::replace(roles_, kSkip, kText);
    check(std::ranges::count(roles_, kText) == 1, "", where,
          ": this line looks like a header but names no text; say which field it is in `text`, or "
          "all of them in `columns` (--columns), as in \"label,text\"");
    for (const std::string_view field : fields)
      layout_ += (layout_.empty() ? "" : ", ") + std::string(field);
  }

  const ReadOptions& options_;
  std::vector<Role> roles_;
  std::string layout_;
};

// ── JSON lines ──────────────────────────────────────────────────────────────────────────────────

Row parse_json_row(std::string_view line, const ReadOptions& options, const std::string& where) {
  const Json object = parse_json(line, where);
  check(object.is_object(), "", where, ": expected a JSON object on each line");
  Row row;
  for (const Role role : {kText, kPair, kLabel, kGroup}) {
    const bool optional = role == kLabel && !options.labelled;
    const auto present = [&](const std::string& name) { return object.has(name); };
    const std::string name = optional && !present(options.label)
                                 ? name_for(role, {}, where, present)
                                 : name_for(role, options, where, present);
    if (name.empty()) continue;
    const Json& value = object[name];
    if (value.is_null()) continue;
    row[role] = value.is_string() ? value.as_string() : value.to_string();
    check(value.is_string() ||
              (role != kText && role != kPair && !value.is_array() && !value.is_object()),
          "", object.where(name), ": expected a string, got ", in_quotes(*row[role]));
  }
  return row;
}

// ── both ────────────────────────────────────────────────────────────────────────────────────────

struct Unresolved {
  Examples examples;
  std::vector<std::string> labels;  // one for each example; empty where there is none
};

std::string place(const std::string& source, int64_t line) {
  return source + ':' + std::to_string(line);
}

// How a field is found: by a usual name, or by one that the user gives.
std::string advice_for(Role role) {
  std::string names;
  for (const std::string& name : kUsualNames[role]) names += (names.empty() ? "" : ", ") + name;
  return "call its field one of " + names + ", or name it in `" + kRoleNames[role] +
         "`, that of a TSV file in `columns` (--columns)";
}

void add_row(Unresolved& into, Row row, const ReadOptions& options, int64_t line) {
  const std::string where = place(into.examples.source, line);
  check(row[kText].has_value(), "", where, ": this example has no text; ", advice_for(kText));
  check(row[kLabel].has_value() || !options.labelled, "", where, ": this example has no label; ",
        advice_for(kLabel));
  if (row[kLabel] &&
      std::ranges::find(options.skip_labels, *row[kLabel]) != options.skip_labels.end())
    return;
  check(!options.labelled || !row[kLabel]->empty(), "", where,
        ": expected a label, got an empty field");
  into.examples.items.push_back({.text = std::move(*row[kText]),
                                 .pair = std::move(row[kPair]).value_or(""),
                                 .group = std::move(row[kGroup]).value_or(""),
                                 .line = line});
  into.labels.push_back(std::move(row[kLabel]).value_or(""));
}

Labels labels_of(const Unresolved& read) {
  std::vector<std::string> names;
  for (const std::string& name : read.labels)
    if (!name.empty()) names.push_back(name);
  Labels labels = Labels::of_data(std::move(names));
  // Nearly as many classes as examples: the fields were surely taken for one another.
  const size_t n = read.examples.size();
  check(n < 20 || static_cast<size_t>(labels.size()) <= n / 2, "", read.examples.source, ": found ",
        labels.size(), " different labels in ", n,
        " examples; is the order of fields another? Name it in `columns` (--columns), as in "
        "\"text,label\"");
  return labels;
}

}  // namespace

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

  Examples& examples = read.examples;
  examples.labels = labels ? *labels : labels_of(read);
  for (size_t i = 0; i < examples.size(); ++i) {
    if (!read.labels[i].empty())
      examples.items[i].label = examples.labels.id_of(
          read.labels[i], place(source, examples.items[i].line), options.advice);
  }
  return std::move(examples);
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
