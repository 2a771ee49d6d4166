// Reads the JSON of check.cpp: valid JSON with numbers, plain strings, lists and objects. Not a general parser.

#ifndef AMESH_JSON_HPP
#define AMESH_JSON_HPP

#include <cctype>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

class Json {
public:
    static Json parse(const std::string& text) {
        const char* at = text.c_str();
        return Json(at);
    }
    const Json& operator[](const std::string& key) const {
        const auto found = members_.find(key);
        if (found == members_.end()) throw std::runtime_error("no " + key + " in the JSON");
        return found->second;
    }
    const Json& operator[](std::size_t index) const {
        if (index >= items_.size()) throw std::runtime_error("no item " + std::to_string(index) + " in the JSON");
        return items_[index];
    }
    std::size_t size() const { return items_.size(); }
    auto begin() const { return items_.begin(); }
    auto end() const { return items_.end(); }
    double number() const { return number_; }
    const std::string& string() const { return string_; }

    // All numbers of nested lists, in order.
    std::vector<double> numbers() const {
        if (items_.empty()) return {number_};
        std::vector<double> all;
        for (const Json& item : items_)
            for (double number : item.numbers()) all.push_back(number);
        return all;
    }
    std::vector<float> floats() const {
        std::vector<float> all;
        for (double number : numbers()) all.push_back(float(number));
        return all;
    }

private:
    explicit Json(const char*& at) {
        skip(at);
        if (*at == '{') {
            for (++at; skip(at) != '}';) {
                const std::string key = quoted(at);
                expect(at, ':');
                members_.emplace(key, Json(at));
                if (skip(at) == ',') ++at;
            }
            ++at;
        } else if (*at == '[') {
            for (++at; skip(at) != ']';) {
                items_.push_back(Json(at));
                if (skip(at) == ',') ++at;
            }
            ++at;
        } else if (*at == '"') {
            string_ = quoted(at);
        } else {
            char* end = nullptr;
            number_ = std::strtod(at, &end);
            if (end == at) throw std::runtime_error("not a number in the JSON");
            at = end;
        }
    }
    static char skip(const char*& at) {
        while (std::isspace(static_cast<unsigned char>(*at))) ++at;
        return *at;
    }
    static void expect(const char*& at, char wanted) {
        if (skip(at) != wanted) throw std::runtime_error(std::string("no ") + wanted + " in the JSON");
        ++at;
    }
    static std::string quoted(const char*& at) {
        expect(at, '"');
        std::string text;
        while (*at && *at != '"') text += *at++;
        expect(at, '"');
        return text;
    }

    double number_ = 0;
    std::string string_;
    std::vector<Json> items_;
    std::map<std::string, Json> members_;
};

#endif  // AMESH_JSON_HPP
