// Finding families by name, and the names of their combinations of heads.
#include "nn/family.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

constexpr std::array kFlags{&Heads::masked_lm,      &Heads::pair,    &Heads::replaced,
                            &Heads::classification, &Heads::choice,  &Heads::tagging,
                            &Heads::span,           &Heads::position};

std::vector<std::string_view> model_types() {
  std::vector<std::string_view> names;
  for (const Family* family : families()) names.emplace_back(family->model_type);
  return names;
}

}  // namespace

std::span<const Family* const> families() {
  static const std::array all{&bert_family(),       &roberta_family(), &xlm_roberta_family(),
                              &electra_family(),    &albert_family(),  &distilbert_family(),
                              &mobilebert_family(), &xlnet_family(),   &bigru_family()};
  return all;
}

const Family& family_of(const std::string& model_type) {
  for (const Family* family : families())
    if (model_type == family->model_type) return *family;
  fail("expected ", alternatives(model_types()), ", got ", in_quotes(model_type));
}

void expect_value(const Json& json, const char* key, const Json& value) {
  const Json* given = json.find(key);
  if (given && !(*given == value))
    fail("", json.where(key), ": expected ", value.to_string(), ", got ", given->to_string());
}

void restore(Json& json, const char* key, const Json& file) {
  if (const Json* before = file.find(key))
    json.set(key, *before);
  else
    json.erase(key);
}

std::vector<std::string> classes_of(const Family& family,
                                    const std::vector<std::string>& architectures) {
  std::vector<std::string> known;
  std::ranges::copy_if(architectures, std::back_inserter(known), [&](const std::string& name) {
    return name == family.body ||
           std::ranges::any_of(family.architectures,
                               [&](const Architecture& a) { return name == a.name; });
  });
  return known;
}

Heads heads_from(const Family& family, const std::vector<std::string>& architectures) {
  Heads all;
  const std::vector<std::string> names = classes_of(family, architectures);
  for (const std::string& name : names) {
    if (name == family.body) all.pooler = family.pooler != nullptr;
    for (const Architecture& a : family.architectures) {
      if (name != a.name) continue;
      for (const auto flag : kFlags) all.*flag |= a.heads.*flag;
      all.pooler |= a.heads.pooler;
    }
  }
  if (names.empty()) all.pooler = family.pooler != nullptr;
  return all;
}

std::vector<std::string> architectures_of(const Family& family, const Heads& heads) {
  std::vector<std::string> names;
  Heads rest = heads;
  for (const Architecture& a : family.architectures) {
    bool fits = true;
    for (const auto flag : kFlags) fits &= rest.*flag || !(a.heads.*flag);
    if (!fits) continue;
    names.emplace_back(a.name);
    for (const auto flag : kFlags) rest.*flag &= !(a.heads.*flag);
  }
  if (names.empty()) names.emplace_back(family.body);
  return names;
}

}  // namespace ink
