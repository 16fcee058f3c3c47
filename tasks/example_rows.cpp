// Fields of lines, and which of them plays which role.
#include "tasks/example_rows.h"

#include <algorithm>
#include <functional>

#include "tensor/error.h"
#include "tensor/json.h"
#include "tensor/keys.h"

namespace ink {
namespace {

using Names = std::vector<std::string>;
const std::array<Names, kRoles> kUsualNames = {{
    {"text", "text_a", "sentence", "sentence1", "premise", "question1", "title"},
    {"text_b", "sentence2", "hypothesis", "question2", "pair"},
    {"label", "class", "category"},
    {"group", "document", "doc"},
}};
const Names kNamesOfSeveral = {"labels", "label", "class", "category"},
            kNamesOfNumbers = {"label", "score", "similarity_score"};

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  for (size_t begin = 0;;) {
    const size_t end = line.find(separator, begin);
    fields.push_back(line.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return fields;
    begin = end + 1;
  }
}

// Of the field with this name, in whatever case; −1 when absent.
ptrdiff_t position(const std::vector<std::string_view>& fields, std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const auto at = std::ranges::find_if(fields, [&](std::string_view field) {
    return std::ranges::equal(field, name, {}, lower, lower);
  });
  return at == fields.end() ? -1 : at - fields.begin();
}

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
  const Names& names = usual_names(role, options.kind);
  const auto at = std::ranges::find_if(names, present);
  return at == names.end() ? "" : *at;
}

// What a member of a JSON object with this role may hold, for people.
const char* kind_of(Role role, LabelKind kind) {
  if (role != kLabel || kind == LabelKind::one) return "a string";
  return kind == LabelKind::several ? "a string or a list of strings" : "a number";
}

bool may_hold(Role role, LabelKind kind, const Json& value) {
  if (value.is_string()) return true;
  if (role == kText || role == kPair) return false;
  if (role == kLabel && kind == LabelKind::several)
    return value.is_array() || value.type() == Json::Type::integer;
  return !value.is_array() && !value.is_object();
}

}  // namespace

const Names& usual_names(Role role, LabelKind kind) {
  if (role != kLabel || kind == LabelKind::one) return kUsualNames[role];
  return kind == LabelKind::several ? kNamesOfSeveral : kNamesOfNumbers;
}

std::optional<Row> TsvRows::parse(std::string_view line, const std::string& where) {
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

// Decides from the first line which field plays which role; true when that line is a header.
bool TsvRows::settle_roles(const std::vector<std::string_view>& fields, const std::string& where) {
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
bool TsvRows::is_header(const std::vector<std::string_view>& fields) const {
  if (options_.header != ReadOptions::Header::detect)
    return options_.header == ReadOptions::Header::present;
  const auto names = [&](Role role, const std::string& wish) {
    const auto present = [&](const std::string& name) { return position(fields, name) >= 0; };
    return wish.empty() ? std::ranges::any_of(usual_names(role, options_.kind), present)
                        : present(wish);
  };
  return names(kText, options_.text) || (fields.size() > 1 && names(kLabel, options_.label));
}

void TsvRows::by_position(const std::string& columns, const std::string& where) {
  layout_ = columns;
  for (const std::string_view name : split(columns, ',')) {
    const auto at = std::ranges::find(kRoleNames, name);
    check(at != kRoleNames.end() || name == "-", "", where, ": unknown role ", in_quotes(name),
          " in `columns` (--columns); known: text, pair, label, group, -");
    roles_.push_back(at == kRoleNames.end() ? kSkip : static_cast<Role>(at - kRoleNames.begin()));
  }
}

void TsvRows::by_name(const std::vector<std::string_view>& fields, const std::string& where) {
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

Row parse_json_row(std::string_view line, const ReadOptions& options, const std::string& where) {
  const Json object = parse_json(line, where);
  check(object.is_object(), "", where, ": expected a JSON object on each line");
  Row row;
  for (const Role role : {kText, kPair, kLabel, kGroup}) {
    if (role == kLabel && !options.labelled) continue;
    const auto present = [&](const std::string& field) { return object.has(field); };
    const std::string name = name_for(role, options, where, present);
    if (name.empty()) continue;
    const Json& value = object[name];
    if (value.is_null()) continue;
    row[role] = value.is_string() ? value.as_string() : value.to_string();
    check(may_hold(role, options.kind, value), "", object.where(name), ": expected ",
          kind_of(role, options.kind), ", got ", in_quotes(*row[role]));
  }
  return row;
}

}  // namespace ink
