package draw

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// The contrast of the palettes, as WCAG 2.2 defines it.

// luminance returns the relative luminance of a color.
func luminance(t *testing.T, color string) float64 {
	t.Helper()
	rgb, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil || len(color) != 7 {
		t.Fatalf("%q is no color", color)
	}
	linear := func(c uint64) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb)
}

// paint returns the colors of a class, light and dark.
func paint(t *testing.T, class, property string) [2]string {
	t.Helper()
	for _, i := range inks {
		for _, selector := range strings.Split(i.selector, ",") {
			if selector == class && i.property == property {
				return [2]string{i.light, i.dark}
			}
		}
	}
	t.Fatalf("%s has no %s", class, property)
	return [2]string{}
}

func TestContrastIsEnough(t *testing.T) {
	const text, shape = 4.5, 3
	for _, pair := range []struct {
		front, property, behind string
		least                   float64
	}{
		{"text", "fill", ".page", text}, {"text", "fill", ".box", text}, {"text", "fill", ".self", text},
		{".m", "fill", ".page", text}, {".m", "fill", ".box", text}, {".m", "fill", ".self", text}, {".n", "fill", ".box", text},
		{".on-live", "fill", ".live", text}, {".on-joined", "fill", ".joined", text}, {".on-unread", "fill", ".unread", text},
		{".on-freed", "fill", ".freed", text}, {".on-unused", "fill", ".unused", text},
		{".live", "fill", ".page", shape}, {".freed", "fill", ".page", shape}, {".joined", "fill", ".page", shape},
		{".unread", "fill", ".page", shape}, {".head", "fill", ".page", shape}, {".lost", "fill", ".page", shape}, {".free", "fill", ".page", shape},
		{".line", "stroke", ".page", shape}, {".line", "stroke", ".self", shape}, {".arrow", "stroke", ".page", shape}, {".head0", "fill", ".page", shape},
		{".box", "stroke", ".page", shape}, {".self", "stroke", ".page", shape}, {".unused", "stroke", ".page", shape},
	} {
		front, behind := paint(t, pair.front, pair.property), paint(t, pair.behind, "fill")
		for i, scheme := range []string{"light", "dark"} {
			a, b := luminance(t, front[i]), luminance(t, behind[i])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, below %v", scheme, pair.front, pair.behind, ratio, pair.least)
			}
		}
	}
}
