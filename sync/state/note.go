package state

import (
	"regexp"
	"strconv"
	"strings"
)

// Note is what a description on a BIG-IP says: who made the object, what the
// next leader has to know of it, and the text of others around that.
type Note struct {
	// Text is what others wrote. Ours is written after it.
	Text  string
	Owner Owner
	// Adopted is the full path under which an object of others was taken
	// over: it stands under its own name, and goes back to them.
	Adopted string
	// Lent is what an adopted pool was before a share needed it otherwise.
	Lent PoolTerms
	// Drain, Terminating and VM are a pool member's.
	Drain       Deadline
	Terminating bool
	VM          bool
	// Loan is that of a foreign member that we were lent; nil for none.
	Loan *Loan
}

// String writes the description. An owner's words come only with an owner.
func (n Note) String() string {
	var words []string
	if n.Text != "" {
		words = append(words, n.Text)
	}
	if tag := n.Owner.Tag(); tag != "" {
		words = append(words, tag)
		if n.Adopted != "" {
			words = append(words, "adopted="+n.Adopted)
		}
		if !n.Lent.IsZero() {
			words = append(words, "was-mode="+n.Lent.Mode, "was-min-active="+strconv.Itoa(n.Lent.MinActive))
		}
		if n.Drain.Set() {
			words = append(words, "drain-until="+n.Drain.String())
		}
		if n.Terminating {
			words = append(words, "terminating=true")
		}
		if n.VM {
			words = append(words, "side=vm")
		}
	}
	if n.Loan != nil {
		words = append(words, n.Loan.String())
	}
	return strings.Join(words, " ")
}

// ParseNote reads what String wrote, with any text around it. An unreadable
// deadline counts as none set: the drain starts anew. Our words that stand
// without an owner tag are somebody's text.
func ParseNote(description string) Note {
	n := Note{Text: description}
	n.Loan, n.Text = cutLoan(n.Text)
	at := tag.FindStringSubmatchIndex(n.Text)
	if at == nil {
		return n
	}
	n.Owner, _ = ParseTag(n.Text)
	before, rest := n.Text[:at[0]], n.Text[at[9]:] // up to the end of the Service's name
	rest = n.words(rest)
	n.Text = before + rest
	if before == "" {
		n.Text = strings.TrimPrefix(rest, " ")
	}
	return n
}

// words reads our words at the beginning of a text, and returns what follows.
func (n *Note) words(text string) (rest string) {
	for text != "" {
		word, after, _ := strings.Cut(strings.TrimPrefix(text, " "), " ")
		key, value, ok := strings.Cut(word, "=")
		if !ok || !n.word(key, value) {
			return text
		}
		if after == "" {
			return ""
		}
		text = " " + after
	}
	return ""
}

func (n *Note) word(key, value string) (ours bool) {
	switch key {
	case "adopted":
		n.Adopted = value
	case "was-mode":
		n.Lent.Mode = value
	case "was-min-active":
		n.Lent.MinActive, _ = strconv.Atoi(value)
	case "drain-until":
		n.Drain, _ = parseDeadline(value)
	case "terminating":
		n.Terminating = value == "true"
	case "side":
		n.VM = value == "vm"
	default:
		return false
	}
	return true
}

// PoolTerms are the settings of an adopted pool that a share has to have
// otherwise.
type PoolTerms struct {
	Mode      string
	MinActive int
}

// IsZero says whether there are none: nothing is lent.
func (t PoolTerms) IsZero() bool { return t == PoolTerms{} }

// Terms are the settings of a foreign member that may be lent.
type Terms struct {
	Admin    Admin
	Ratio    int
	Priority int
}

// String writes "enabled/1/0".
func (t Terms) String() string {
	return t.Admin.String() + "/" + strconv.Itoa(t.Ratio) + "/" + strconv.Itoa(t.Priority)
}

func parseTerms(s string) (Terms, bool) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Terms{}, false
	}
	var t Terms
	switch parts[0] {
	case Enabled.String():
	case Disabled.String():
		t.Admin = Disabled
	case Offline.String():
		t.Admin = Offline
	default:
		return Terms{}, false
	}
	ratio, errRatio := strconv.ParseUint(parts[1], 10, 16)
	priority, errPriority := strconv.ParseUint(parts[2], 10, 16)
	t.Ratio, t.Priority = int(ratio), int(priority)
	return t, errRatio == nil && errPriority == nil
}

// Loan is what stands in the description of a foreign member of which we
// changed settings: for whom, what they were, and what we made them. By that
// they are put back, and what a person changes meanwhile is told from ours.
type Loan struct {
	To       Owner
	Was, Set Terms
}

// loanWord begins a loan's words in a description.
const loanWord = "landbridge-loan"

// String writes the loan as it stands in a description.
func (l *Loan) String() string {
	return loanWord + " cluster=" + l.To.Cluster + " uid=" + l.To.UID + " service=" + l.To.Service.String() +
		" was=" + l.Was.String() + " set=" + l.Set.String()
}

// Same says whether two loans, of which either may be nil, say the same.
func (l *Loan) Same(o *Loan) bool {
	if l == nil || o == nil {
		return l == o
	}
	return *l == *o
}

var loan = regexp.MustCompile(`(?:^| )` + loanWord + ` cluster=([a-z0-9-]+) uid=([0-9a-f]{8}) service=([a-z0-9.-]+)/([a-z0-9.-]+) was=(\S+) set=(\S+)`)

// cutLoan takes the loan out of a description.
func cutLoan(description string) (*Loan, string) {
	if !strings.Contains(description, loanWord) {
		return nil, description
	}
	at := loan.FindStringSubmatchIndex(description)
	if at == nil {
		return nil, description
	}
	group := func(i int) string { return description[at[2*i]:at[2*i+1]] }
	was, okWas := parseTerms(group(5))
	set, okSet := parseTerms(group(6))
	if !okWas || !okSet {
		return nil, description
	}
	rest := description[:at[0]] + description[at[1]:]
	if at[0] == 0 {
		rest = strings.TrimPrefix(rest, " ")
	}
	return &Loan{
		To:  Owner{Cluster: group(1), UID: group(2), Service: Ref{Namespace: group(3), Name: group(4)}},
		Was: was, Set: set,
	}, rest
}
