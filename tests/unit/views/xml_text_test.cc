#include "views/xml_text.h"

#include <gtest/gtest.h>

namespace mini::views {
namespace {

TEST(XmlTextTest, MarkupIsEscaped) {
  EXPECT_EQ(xml_text("a<b> && \"c\" 'd'"), "a&lt;b&gt; &amp;&amp; &quot;c&quot; &apos;d&apos;");
  EXPECT_EQ(xml_text("]]>"), "]]&gt;");
}

TEST(XmlTextTest, WhatXmlAllowsNowhereIsShownAsOnTerminals) {
  EXPECT_EQ(xml_text("\x1b[31m\xff"), "\\x1b[31m\\xff");
  EXPECT_EQ(xml_text("é\uFFFE\uFFFF"), "é\uFFFD\uFFFD");
}

}  // namespace
}  // namespace mini::views
