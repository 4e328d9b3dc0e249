"""stub"""
DOCUMENTS = {
 "ds": '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/2000/09/xmldsig#"><xs:element name="Signature"/></xs:schema>',
 "atom": '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/2005/Atom"><xs:complexType name="feedType"><xs:sequence><xs:any minOccurs="0" maxOccurs="unbounded" processContents="skip"/></xs:sequence></xs:complexType><xs:element xmlns:atom="http://www.w3.org/2005/Atom" name="feed" type="atom:feedType"/></xs:schema>',
}
